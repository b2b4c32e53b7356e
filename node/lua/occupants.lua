-- For enter and exit: what a room keeps of an occupant, `<nodes>:<participant>`.
--
-- KEYS[5…7], of the partition: active rooms, rooms that were made, when listed users were seen

local ACTIVE, MADE, LISTED = KEYS[5], KEYS[6], KEYS[7]
-- Whoever is in this room is listed as online.
local LOBBY = '!online'

-- On how many nodes the user is in the room, and the participant as it was stored.
local function occupant_read(roster, user)
  local entry = redis.call('HGET', roster, user)
  if not entry then return 0, '' end
  local colon = string.find(entry, ':', 1, true)
  return tonumber(string.sub(entry, 1, colon - 1)), string.sub(entry, colon + 1)
end

local function occupant_write(roster, user, nodes, participant)
  redis.call('HSET', roster, user, int(nodes) .. ':' .. participant)
end

-- The user is in the room now, and was not before. An open room is active from its first one on.
local function occupant_came(roster, meta, room, user)
  if room == LOBBY then
    redis.call('ZADD', LISTED, int(NOW), user)
  elseif redis.call('HLEN', roster) == 1 and redis.call('HGET', meta, 'state') == 'open'
    and redis.call('ZSCORE', MADE, room) then
    redis.call('SADD', ACTIVE, room)
  end
end

local function occupant_went(roster, room, user)
  if room == LOBBY then
    redis.call('ZREM', LISTED, user)
  elseif redis.call('HLEN', roster) == 0 then
    redis.call('SREM', ACTIVE, room)
  end
end

-- Tells those who hear the room.
local function occupant_told(meta, room, signal)
  local text = redis.call('HGET', meta, 'nodes')
  if text then tell(interested(text), room_signal(room, signal)) end
end
