-- For enter and exit: what a room keeps of an occupant, `<nodes>:<participant>`.

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

-- Tells those who hear the room.
local function occupant_told(meta, room, signal)
  local text = redis.call('HGET', meta, 'nodes')
  if text then tell(interested(text), room_signal(room, signal)) end
end
