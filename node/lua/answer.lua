-- A node's answer to a question that was asked of several.
-- KEYS: the answers; ARGV: seconds for which they are kept, the answer
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return cmsgpack.pack(nil)
