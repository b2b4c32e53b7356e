-- Says what users are to a room.
--
-- KEYS[4]: meta; KEYS[5]: members
-- ARGV[3]: members at most; ARGV[4…]: user and role; an empty role takes the user out
-- Answers gone where there is no such room, full where it would have too many, else the users who
-- were taken out.

local meta = redis.call('HMGET', KEYS[4], 'visibility', 'state')
if not meta[1] or meta[2] == 'deleted' then return pack('gone') end
if tonumber(ARGV[3]) < redis.call('HLEN', KEYS[5]) + (#ARGV - 3) / 2 then return pack('full') end
redis.call('HINCRBY', KEYS[4], 'rules', 1)
local out = {}
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then
    redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])
  elseif redis.call('HDEL', KEYS[5], ARGV[i]) == 1 then
    out[#out + 1] = ARGV[i]
  end
end
return pack({ out = out })
