-- Ids of rooms that can be listed, in order.
--
-- KEYS: index of a partition
-- ARGV: from where, as ZRANGE takes it; how many at most

return cmsgpack.pack(redis.call('ZRANGE', KEYS[1], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2]))
