-- Makes a room, unless it is made.
--
-- KEYS[4]: meta; KEYS[5]: members; KEYS[6]: index of rooms that can be listed; KEYS[7…]: whatever
-- else a room that was deleted has left
-- ARGV[3]: room; ARGV[4]: whether it can be listed, 1 or 0; ARGV[5]: how many texts the record
-- has; then these, fields and values; then members and their roles
-- Answers the room's epoch, and whether it was made now.

local ROOM, IS_LISTED, RECORD = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])

local meta = redis.call('HMGET', KEYS[4], 'epoch', 'visibility', 'state')
local epoch, is_deleted = tonumber(meta[1]), meta[3] == 'deleted'
if not epoch or is_deleted then
  -- Nothing of a deleted room comes back; its epoch is over, so its numbers may.
  if is_deleted then
    redis.call('UNLINK', KEYS[5], unpack(KEYS, 7))
    redis.call('HDEL', KEYS[4], 'name', 'description', 'department', 'metadata', 'creator')
  end
  epoch = math.max(NOW, (epoch or 0) + 1)
  redis.call('HSET', KEYS[4], 'epoch', int(epoch), 'seq', 0, 'nth', 0,
    'generation', int(GENERATION))
end
local is_new = not meta[2] or is_deleted
if is_new then
  redis.call('HSET', KEYS[4], 'state', 'open', 'created', int(NOW), 'updated', int(NOW),
    unpack(ARGV, 6, 5 + RECORD))
  redis.call('PERSIST', KEYS[4])
  if 5 + RECORD < #ARGV then redis.call('HSET', KEYS[5], unpack(ARGV, 6 + RECORD)) end
  if IS_LISTED then redis.call('ZADD', KEYS[6], 0, ROOM) end
end
return pack({ epoch, is_new })
