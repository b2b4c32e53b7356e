-- Makes a room, unless it is made.
--
-- KEYS[4]: meta; KEYS[5…]: whatever else a room that was deleted has left
-- ARGV[3]: visibility
-- Answers the room's epoch.

local meta = redis.call('HMGET', KEYS[4], 'epoch', 'visibility', 'state')
local epoch, is_deleted = tonumber(meta[1]), meta[3] == 'deleted'
if not epoch or is_deleted then
  -- Nothing of a deleted room comes back; its epoch is over, so its numbers may.
  if is_deleted then redis.call('UNLINK', unpack(KEYS, 5)) end
  epoch = math.max(NOW, (epoch or 0) + 1)
  redis.call('HSET', KEYS[4], 'epoch', int(epoch), 'seq', 0, 'nth', 0,
    'generation', int(GENERATION))
end
if not meta[2] or is_deleted then
  redis.call('HSET', KEYS[4], 'visibility', ARGV[3], 'state', 'open')
  redis.call('PERSIST', KEYS[4])
end
return pack(epoch)
