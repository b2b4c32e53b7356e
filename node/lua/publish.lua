-- Carries out a batch: gives events their places in their rooms' logs, and publishes them and the
-- signals between them. An item that fails says so and spoils no other item.
--
-- KEYS[4]: bars that hold in every room; KEYS[5]: feed
-- KEYS[6…]: for each room of the batch its meta, log, recent (even, odd), bars, redacted;
--           for each user of the batch the interest in the user's topic
-- ARGV[3]: entries that a room keeps; ARGV[4]: seconds for which an entry is kept; ARGV[5]: entries
-- of the feed, 0 where there is none; then for each item six: what, number of its topic's first key,
-- name of the topic, dedupe mark, sender, body.
-- What: message, event, close, reopen, delete, redact (a room's entries), find (where the one with this
-- mark is), room_signal, user_signal.
-- Of a redaction the sender is the place, epoch and seq; the body holds three, behind the lengths of
-- the first two: the event, what takes the message's place, and what takes that of earlier edits.

local KEPT, KEPT_S, FED = ARGV[3], ARGV[4], tonumber(ARGV[5])
local BARS, FEED = KEYS[4], KEYS[5]
local RECORD_VERSION = 1
-- A repeated send is recognised for one to two periods.
local PERIOD_MS, RECENT_S = 600000, 1200

-- Events that open or close a room.
local STATE_AFTER = { close = 'closed', reopen = 'open', delete = 'deleted' }

-- Room, epoch and seq of each entry that this batch has stored.
local fed = {}

local rooms = {}

-- A new epoch, because the room is new or Redis may have lost its tail. The log itself tells how
-- far it goes; the meta may be gone or behind.
local function mint(room)
  room.epoch = math.max(NOW, room.epoch + 1)
  local newest = redis.call('XREVRANGE', room.log, '+', '-', 'COUNT', 1)[1]
  if newest then
    local seq = tonumber(string.match(newest[1], '^%d+'))
    if room.seq < seq then
      local _, header = cmsgpack.unpack_one(newest[2][2])
      room.seq, room.nth = seq, header[4]
    end
  end
end

local function read_room(first)
  local meta = redis.call('HMGET', KEYS[first],
    'epoch', 'seq', 'nth', 'generation', 'nodes', 'state', 'visibility')
  local room = {
    meta = KEYS[first], log = KEYS[first + 1], bars = KEYS[first + 4], redacted = KEYS[first + 5],
    recent = { [0] = KEYS[first + 2], [1] = KEYS[first + 3] },
    epoch = tonumber(meta[1]) or 0, seq = tonumber(meta[2]) or 0, nth = tonumber(meta[3]) or 0,
    state = meta[6], has_record = meta[7] ~= false,
  }
  if tonumber(meta[4]) ~= GENERATION then mint(room) end
  local cleaned
  room.nodes, cleaned = interested(meta[5] or '')
  if cleaned then redis.call('HSET', room.meta, 'nodes', cleaned) end
  return room
end

-- Which halves of the dedupe marks count now. Time may step back; periods never do.
local function read_recent(room)
  local even = tonumber(redis.call('HGET', room.recent[0], 'p'))
  local odd = tonumber(redis.call('HGET', room.recent[1], 'p'))
  room.period = math.max(math.floor(NOW / PERIOD_MS), even or 0, odd or 0)
  local periods = { [0] = even, [1] = odd }
  local current = room.period % 2
  room.current = room.recent[current]
  if periods[current] and periods[current] ~= room.period then
    redis.call('UNLINK', room.current)
  end
  if periods[1 - current] == room.period - 1 then room.previous = room.recent[1 - current] end
end

local function seen_before(room, mark)
  local place = redis.call('HGET', room.current, mark)
  if not place and room.previous then place = redis.call('HGET', room.previous, mark) end
  return place
end

-- The place of an earlier attempt. What is stored is told again: the first telling may be lost,
-- and whoever has heard it knows the place.
local function repeated(room, name, place)
  local epoch, seq, nth, at = cmsgpack.unpack(place)
  local id = int(seq) .. '-0'
  local stored = redis.call('XRANGE', room.log, id, id)[1]
  if stored then
    local record = stored[2][2]
    local _, header = cmsgpack.unpack_one(record)
    if header[2] == epoch then tell(room.nodes, entry_item(name, record)) end
  end
  return { duplicate = { epoch, seq, nth, at } }
end

-- Muted or banned, here or everywhere.
local function is_barred(room, sender)
  if sender == '' then return false end
  for _, bars in ipairs({ room.bars, BARS }) do
    local bar = redis.call('HGET', bars, sender)
    if bar then
      local muted, banned = string.match(bar, '^(%d+) ?(%d*)$')
      if NOW < math.max(tonumber(muted), tonumber(banned) or 0) then return true end
    end
  end
  return false
end

local function store(room, what, name, mark, body)
  local seq, nth = room.seq + 1, room.nth
  if what == 'message' then nth = nth + 1 end
  local record = pack({ RECORD_VERSION, room.epoch, seq, nth, NOW }) .. body
  redis.call('XADD', room.log, 'MAXLEN', '~', KEPT, int(seq) .. '-0', 'd', record)
  -- Only what the log holds counts.
  redis.call('HSET', room.meta, 'epoch', int(room.epoch), 'seq', int(seq), 'nth', int(nth),
    'generation', int(GENERATION))
  room.seq, room.nth = seq, nth
  redis.call('HSET', room.current, 'p', int(room.period), mark, pack(room.epoch, seq, nth, NOW))
  if STATE_AFTER[what] then
    room.state = STATE_AFTER[what]
    redis.call('HSET', room.meta, 'state', room.state)
  end
  if not room.is_refreshed or what == 'delete' then
    room.is_refreshed = true
    redis.call('EXPIRE', room.log, KEPT_S)
    redis.call('EXPIRE', room.current, RECENT_S)
    -- A room that somebody made stays; one that only was talked in goes with its log.
    if not room.has_record or room.state == 'deleted' then
      redis.call('EXPIRE', room.meta, KEPT_S)
    end
  end
  tell(room.nodes, entry_item(name, record))
  if 0 < FED then fed[#fed + 1] = { name, room.epoch, seq } end
  return { stored = { room.epoch, seq, nth, NOW } }
end

-- Puts a body into the place of a stored record; false: there is none of that epoch.
local function replace(room, epoch, seq, body)
  local id, field = int(seq) .. '-0', int(seq)
  local stored = redis.call('XRANGE', room.log, id, id)[1]
  local record = stored and stored[2][2] or redis.call('HGET', room.redacted, field)
  if not record then return false end
  local _, header = cmsgpack.unpack_one(record)
  if epoch and header[2] ~= epoch then return false end
  redis.call('HSET', room.redacted, field, pack(header) .. body)
  redis.call('XDEL', room.log, id)
  return true
end

-- What lies before the log is read no more.
local function prune(room)
  if redis.call('HLEN', room.redacted) % 64 ~= 0 then return end
  local oldest = redis.call('XRANGE', room.log, '-', '+', 'COUNT', 1)[1]
  local first = oldest and tonumber(string.match(oldest[1], '^%d+')) or 0
  for _, field in ipairs(redis.call('HKEYS', room.redacted)) do
    if tonumber(string.match(field, '%d+')) < first - 64 then
      redis.call('HDEL', room.redacted, field)
    end
  end
end

-- Takes a message's text away, wherever it is stored, then tells of it.
local function redact(room, name, mark, place, body)
  local epoch, seq = string.match(place, '^(%d+) (%d+)$')
  local first, second, start = string.match(body, '^(%d+) (%d+)\n()')
  local middle, rest = start + first, start + first + second
  local event, replacement = string.sub(body, start, middle - 1), string.sub(body, middle, rest - 1)
  local erased = string.sub(body, rest)
  if not replace(room, tonumber(epoch), tonumber(seq), replacement) then return 'missing' end
  local edits = 'e' .. seq
  for edit in string.gmatch(redis.call('HGET', room.redacted, edits) or '', '%d+') do
    replace(room, nil, tonumber(edit), erased)
  end
  local answer = store(room, 'redact', name, mark, event)
  redis.call('HSET', room.redacted, edits, int(room.seq))
  prune(room)
  redis.call('EXPIRE', room.redacted, KEPT_S)
  return answer
end

local function append(first, what, name, mark, sender, body)
  local room = rooms[first]
  if not room then
    room = read_room(first)
    rooms[first] = room
  end
  if not room.period then read_recent(room) end
  -- First of all: a send that is stored is acknowledged, whatever has happened since.
  local place = seen_before(room, mark)
  if what == 'find' then return place and { duplicate = { cmsgpack.unpack(place) } } or 'missing' end
  if place then return repeated(room, name, place) end
  if room.state == 'deleted' then return 'gone' end
  if room.state == 'closed' and (what == 'message' or what == 'close') then return 'closed' end
  if what == 'message' and is_barred(room, sender) then return 'barred' end
  if what == 'redact' then return redact(room, name, mark, sender, body) end
  return store(room, what, name, mark, body)
end

local function signal_room(first, name, body)
  rooms[first] = rooms[first] or read_room(first)
  tell(rooms[first].nodes, room_signal(name, body))
  return 'told'
end

local function signal_user(first, name, body)
  local nodes, cleaned = interested(redis.call('GET', KEYS[first]) or '')
  if cleaned then redis.call('SET', KEYS[first], cleaned, 'KEEPTTL') end
  tell(nodes, user_signal(name, body))
  return 'told'
end

local function carry_out(i)
  local what, first, name = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local mark, sender, body = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  if what == 'room_signal' then return signal_room(first, name, body) end
  if what == 'user_signal' then return signal_user(first, name, body) end
  return append(first, what, name, mark, sender, body)
end

local answers = {}
for i = 6, #ARGV, 6 do
  -- A call that fails raises: caught here, it ends its item and nothing else.
  local done, answer = pcall(carry_out, i)
  if not done then
    local problem = type(answer) == 'table' and answer.err or tostring(answer)
    answer = { failed = problem }
  end
  answers[#answers + 1] = answer
end
publish_frames()
if 0 < #fed then
  -- Batches are numbered, so that whoever follows the feed sees that one was cut off or lost.
  local newest = redis.pcall('XREVRANGE', FEED, '+', '-', 'COUNT', 1)[1]
  local number = newest and tonumber(newest[2][4]) or 0
  redis.pcall('XADD', FEED, 'MAXLEN', '~', int(FED), '*', 'd', pack(fed), 'n', int(number + 1))
end
return pack({ GENERATION, answers })
