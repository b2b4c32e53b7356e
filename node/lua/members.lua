-- Some members of a room and what they are to it, and from where to read on; 0: these were the
-- last. A member may come twice while others come and go.
--
-- KEYS: members
-- ARGV: from where, how many at most, nearly

local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
return cmsgpack.pack({ found[1], found[2] })
