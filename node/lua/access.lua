-- What access to a room asks: the head of its record, and what the user is to it. Nothing where
-- nobody made the room or it was deleted.
--
-- KEYS: meta, members
-- ARGV: user

local meta = redis.call('HMGET', KEYS[1],
  'visibility', 'state', 'name', 'description', 'department')
if not meta[1] or meta[2] == 'deleted' then return cmsgpack.pack({}) end
meta[6] = redis.call('HGET', KEYS[2], ARGV[1])
for i = 1, 6 do meta[i] = meta[i] or '' end
return cmsgpack.pack(meta)
