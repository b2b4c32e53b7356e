-- A room's record, or nothing where nobody made it or it was deleted.
--
-- KEYS: meta

local meta = redis.call('HMGET', KEYS[1], 'visibility', 'state', 'name', 'description',
  'department', 'metadata', 'creator', 'created', 'updated')
if not meta[1] or meta[2] == 'deleted' then return cmsgpack.pack({}) end
for i = 1, 9 do meta[i] = meta[i] or '' end
return cmsgpack.pack(meta)
