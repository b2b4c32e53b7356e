-- These users, as far as they are listed as online, are seen now.
--
-- KEYS: times of the list
-- ARGV: users

local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
for i = 1, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i]) end
return cmsgpack.pack(#ARGV)
