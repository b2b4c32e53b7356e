-- Reading a room's log. What was redacted is kept beside it, by seq, and takes its place there.

local PAGE_ENTRIES, PAGE_BYTES, STEP = 64, 256 * 1024, 8

local function seq_of(id) return tonumber(string.match(id, '^%d+')) end

-- Of a record's header: epoch, number among the messages, and when it was stored.
local function header_of(record)
  local _, header = cmsgpack.unpack_one(record)
  return header[2], header[4], header[5]
end

local function redacted_at(redacted, seq)
  return redis.call('HGET', redacted, string.format('%.0f', seq))
end

-- The record at a place, or false.
local function record_at(log, redacted, seq)
  local id = string.format('%.0f-0', seq)
  local entry = redis.call('XRANGE', log, id, id)[1]
  return entry and entry[2][2] or redacted_at(redacted, seq)
end

-- Visits the records that follow a seq, one after the other: upwards (1) or downwards (-1), until
-- `visit` is given one and answers false. Without a seq, from the newest downwards.
local function walk(log, redacted, way, previous, visit)
  local command = way == 1 and 'XRANGE' or 'XREVRANGE'
  local last = way == 1 and '+' or '-'
  local first = previous and string.format('(%.0f-0', previous) or '+'
  -- Between two entries lies nothing but what was redacted, and so at the old end.
  local function fill(to)
    while previous and previous + way ~= to do
      local record = redacted_at(redacted, previous + way)
      if not record then return true end
      previous = previous + way
      if not visit(record, previous) then return false end
    end
    return true
  end
  while true do
    local found = redis.call(command, log, first, last, 'COUNT', STEP)
    for _, entry in ipairs(found) do
      local seq = seq_of(entry[1])
      if not fill(seq) or not visit(entry[2][2], seq) then return end
      previous, first = seq, '(' .. entry[1]
    end
    if #found < STEP then
      fill(nil)
      return
    end
  end
end

-- The same until a page is full, in entries or, nearly, in bytes.
local function read_page(log, redacted, way, previous, take)
  local count, bytes = 0, 0
  walk(log, redacted, way, previous, function(record, seq)
    if PAGE_ENTRIES <= count or (0 < count and PAGE_BYTES < bytes + #record) then return false end
    if not take(record, seq) then return false end
    count, bytes = count + 1, bytes + #record
    return true
  end)
end

local function reversed(list)
  local other = {}
  for i = #list, 1, -1 do other[#other + 1] = list[i] end
  return other
end

-- The newest page, oldest first, of what was stored since a time.
local function newest_page(log, redacted, since)
  local newest_first = {}
  read_page(log, redacted, -1, nil, function(record)
    local _, _, at = header_of(record)
    if at < since then return false end
    newest_first[#newest_first + 1] = record
    return true
  end)
  return reversed(newest_first)
end
