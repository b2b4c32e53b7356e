-- What was taken back after a time, oldest first.
-- KEYS: what was taken back; ARGV: the time, how many at most
-- Answers what and when, alternately.
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES',
  'LIMIT', 0, ARGV[2])
return cmsgpack.pack(found)
