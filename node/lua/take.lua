-- Passes what a connection left behind on to another one of the same user.
-- KEYS: …, the record
-- ARGV: …, who asks, user, 1: also from an owner that may still write to it, seconds to live
-- Answers the state, or why there is none: nothing is kept, or it is held by a living node.
local record, asker, user, by_force = KEYS[4], ARGV[3], ARGV[4], ARGV[5] == '1'

local kept = redis.call('HMGET', record, 'owner', 'user', 'state')
local owner, state = kept[1], kept[3]
if not state or kept[2] ~= user then return pack('nothing') end

-- A node keeps its index when it begins a new life, and its connections live on.
local function lives(index)
  alive('')
  for life, living in pairs(table_of_lives) do
    if living and index_of(life) == index then return true end
  end
  return false
end

if owner ~= '' and owner ~= asker and not by_force and lives(index_of(owner)) then
  return pack('held')
end
redis.call('HSET', record, 'owner', asker)
redis.call('EXPIRE', record, ARGV[6])
return pack({ kept = state })
