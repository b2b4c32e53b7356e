-- Takes away what a deleted room has left. Its log stays for a while, so that whoever was in the
-- room still reads that it was deleted.
--
-- KEYS[4]: meta; KEYS[5]: log; KEYS[6]: index of rooms that can be listed; KEYS[7…]: the rest
-- ARGV[3]: room; ARGV[4]: seconds for which the log stays

if redis.call('HGET', KEYS[4], 'state') ~= 'deleted' then return pack(false) end
redis.call('ZREM', KEYS[6], ARGV[3])
redis.call('UNLINK', unpack(KEYS, 7))
redis.call('HDEL', KEYS[4], 'name', 'description', 'department', 'metadata', 'creator')
redis.call('EXPIRE', KEYS[5], ARGV[4])
return pack(true)
