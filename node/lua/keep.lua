-- Keeps what a connection leaves behind, unless another one has taken it meanwhile.
-- KEYS: …, the record
-- ARGV: …, who asks, whose it is from now on (empty: whoever takes it), user, state, seconds to live
-- An empty state takes the record away. Answers whether it was the asker's to write.
local record, asker, owner = KEYS[4], ARGV[3], ARGV[4]

local former = redis.call('HGET', record, 'owner')
if former and former ~= asker then return pack(false) end

if ARGV[6] == '' then
  redis.call('DEL', record)
else
  redis.call('HSET', record, 'owner', owner, 'user', ARGV[5], 'state', ARGV[6])
  redis.call('EXPIRE', record, ARGV[7])
end
return pack(true)
