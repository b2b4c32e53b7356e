-- Changes a room's record.
--
-- KEYS[4]: meta
-- ARGV[3…]: fields and values; an empty value takes the field away
-- Answers whether there is such a room.

local meta = redis.call('HMGET', KEYS[4], 'visibility', 'state')
if not meta[1] or meta[2] == 'deleted' then return pack(false) end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[4], ARGV[i])
  else
    redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[4], 'updated', int(NOW))
redis.call('HINCRBY', KEYS[4], 'rules', 1)
return pack(true)
