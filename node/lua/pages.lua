-- Reading a room's log in pages that are bounded in entries and, nearly, in bytes.

local PAGE_ENTRIES, PAGE_BYTES, STEP = 64, 256 * 1024, 8

local function seq_of(id) return tonumber(string.match(id, '^%d+')) end

-- Of a record's header: epoch, and when it was stored.
local function header_of(record)
  local _, header = cmsgpack.unpack_one(record)
  return header[2], header[5]
end

-- Reads on from an id until the page is full. `take` is given each record and its seq, and answers
-- false to end the page there.
local function read_page(command, log, first, last, take)
  local count, bytes = 0, 0
  while count < PAGE_ENTRIES and bytes < PAGE_BYTES do
    local found = redis.call(command, log, first, last, 'COUNT', STEP)
    for _, entry in ipairs(found) do
      local record = entry[2][2]
      if PAGE_ENTRIES <= count or (0 < count and PAGE_BYTES < bytes + #record) then return end
      if not take(record, seq_of(entry[1])) then return end
      count, bytes = count + 1, bytes + #record
      first = '(' .. entry[1]
    end
    if #found < STEP then return end
  end
end

-- The newest page, oldest first, of what was stored since a time.
local function newest_page(log, since)
  local newest_first, page = {}, {}
  read_page('XREVRANGE', log, '+', '-', function(record)
    local _, at = header_of(record)
    if at < since then return false end
    newest_first[#newest_first + 1] = record
    return true
  end)
  for i = #newest_first, 1, -1 do page[#page + 1] = newest_first[i] end
  return page
end
