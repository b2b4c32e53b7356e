-- A room's visibility and state, or nothing where nobody made it or it was deleted.
--
-- KEYS: meta

local meta = redis.call('HMGET', KEYS[1], 'visibility', 'state')
if not meta[1] or meta[2] == 'deleted' then return cmsgpack.pack({}) end
return cmsgpack.pack({ meta[1], meta[2] or 'open' })
