-- Shared by every script that acts for a node. KEYS[1..3] are the shard's gen, live and ic;
-- ARGV[1] is the asking life, ARGV[2] what channels of inboxes begin with.

local LIFE, INBOX = ARGV[1], ARGV[2]
local FRAME_VERSION = 1
local pack = cmsgpack.pack

local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Whole numbers as text: Lua would write large ones with an exponent.
local function int(number)
  return string.format('%.0f', number)
end

-- The shard's generation rises whenever Redis may have lost something: another replication id
-- (restart, promotion), or none stored (flushed). Whoever runs first stores the new one.
local function read_generation()
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  local stored = redis.call('HMGET', KEYS[1], 'replid', 'generation')
  if stored[1] == replid and stored[2] then
    return tonumber(stored[2])
  end
  local generation = math.max(NOW, (tonumber(stored[2]) or 0) + 1)
  redis.call('HSET', KEYS[1], 'replid', replid, 'generation', int(generation))
  return generation
end
local GENERATION = read_generation()

-- The table of living nodes, read once: life -> is it not dead?
local table_of_lives
local function alive(life)
  if not table_of_lives then
    table_of_lives = {}
    local flat = redis.call('HGETALL', KEYS[2])
    for i = 1, #flat, 2 do
      table_of_lives[flat[i]] = string.find(flat[i + 1], ' dead ', 1, true) == nil
    end
  end
  return table_of_lives[life] == true
end

local function stale()
  return redis.error_reply('STALE ' .. LIFE .. ' is not a living node')
end

-- Interested nodes are kept as text, `<index>.<incarnation>=<stamp>;` each.
local function index_of(life)
  return string.match(life, '^(%d+)%.')
end

-- The text with this node's pair, or nil where it stays as it is. Pairs of the node's other lives
-- go; a pair with a higher stamp was written later and stays.
local function with_interest(text, stamp)
  local kept, index = {}, index_of(LIFE)
  for life, stored in string.gmatch(text, '(%d+%.%d+)=(%d+);') do
    if life == LIFE then
      if tonumber(stored) >= stamp then return nil end
    elseif index_of(life) ~= index then
      kept[#kept + 1] = life .. '=' .. stored .. ';'
    end
  end
  kept[#kept + 1] = LIFE .. '=' .. int(stamp) .. ';'
  return table.concat(kept)
end

-- The text without this node's pair, or nil where it stays as it is.
local function without_interest(text, stamp)
  local kept, changed = {}, false
  for life, stored in string.gmatch(text, '(%d+%.%d+)=(%d+);') do
    if life == LIFE and tonumber(stored) <= stamp then
      changed = true
    else
      kept[#kept + 1] = life .. '=' .. stored .. ';'
    end
  end
  return changed and table.concat(kept) or nil
end

-- Frames: what each node's inbox is going to hear from this call.
local frames, frame_order = {}, {}
local function tell_index(index, item)
  if not frames[index] then
    frames[index] = {}
    frame_order[#frame_order + 1] = index
  end
  local items = frames[index]
  items[#items + 1] = item
end

-- Tells every living node.
local function tell_all(item)
  alive('')
  local told = {}
  for life, living in pairs(table_of_lives) do
    local index = index_of(life)
    if living and not told[index] then
      told[index] = true
      tell_index(index, item)
    end
  end
end

-- The indexes of the living nodes of an interest text, and the text without dead pairs where there
-- were any, else nil.
local function interested(text)
  local kept, indexes, told, dead = {}, {}, {}, false
  for life, stamp in string.gmatch(text, '(%d+%.%d+)=(%d+);') do
    if alive(life) then
      kept[#kept + 1] = life .. '=' .. stamp .. ';'
      local index = index_of(life)
      if not told[index] then
        told[index] = true
        indexes[#indexes + 1] = index
      end
    else
      dead = true
    end
  end
  return indexes, dead and table.concat(kept) or nil
end

local function tell(indexes, item)
  for _, index in ipairs(indexes) do tell_index(index, item) end
end

-- Items of frames. A room's entry:
local function entry_item(room, record) return pack({ e = { room, record } }) end
-- A signal as the node encoded it, of a room's topic or of a user's:
local function room_signal(room, signal) return pack({ r = { room, signal } }) end
local function user_signal(user, signal) return pack({ u = { user, signal } }) end
-- What a user is seen as, the status as clients write it:
local function presence_item(user, version, status) return pack({ p = { user, version, status } }) end

-- Publishes what was told. A frame that fails leaves a hole in its inbox's count, which the node
-- sees; the other frames are published whatever happens.
local function publish_frames()
  for _, index in ipairs(frame_order) do
    local count = redis.pcall('HINCRBY', KEYS[3], index, 1)
    if type(count) == 'number' then
      -- The 0 says: not a beat.
      local items = frames[index]
      local head = pack({ FRAME_VERSION, GENERATION, count, 0, #items })
      redis.pcall('PUBLISH', INBOX .. index, head .. table.concat(items))
    end
  end
end
