-- A page of a room's messages, counted from the newest, or from the newest up to a place.
--
-- KEYS: meta, log
-- ARGV: messages to pass over, messages at most, seconds for which an entry is kept; perhaps the
-- epoch and seq of the place
-- Answers how many messages the room had, and the records, oldest first. Records of other events
-- between them are answered too; at most a mebibyte, unless one record is larger.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local OFFSET, LIMIT, SINCE = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3] * 1000
local EPOCH, UP_TO = tonumber(ARGV[4]), tonumber(ARGV[5])
local BYTES, STEP, RECORDS = 1024 * 1024, 64, 1024

local meta = redis.call('HMGET', KEYS[1], 'seq', 'nth', 'state', 'epoch')
local seq, total = tonumber(meta[1]) or 0, tonumber(meta[2]) or 0
if meta[3] == 'deleted' then return cmsgpack.pack({ 0, {} }) end
if UP_TO and EPOCH ~= tonumber(meta[4]) then return cmsgpack.pack({ total, {} }) end

-- The messages wanted are those numbered above `oldest` up to `newest`. A message's number is at
-- most its seq, and behind it by no more than the room's other events. The first record up to a
-- place tells how many messages there are up to it.
local newest, oldest
local function want(count)
  newest = count - OFFSET
  oldest = math.max(0, newest - LIMIT)
end
if not UP_TO then want(total) end

local function read()
  local newest_first, bytes, records = {}, 0, 0
  local last = string.format('%.0f-0', UP_TO or newest + seq - total)
  while records < RECORDS do
    local found = redis.call('XREVRANGE', KEYS[2], last, '-', 'COUNT', STEP)
    for _, entry in ipairs(found) do
      local record = entry[2][2]
      local _, header = cmsgpack.unpack_one(record)
      local nth, at = header[4], header[5]
      if not newest then want(nth) end
      if nth <= oldest or at < SINCE then return newest_first end
      if nth <= newest then
        bytes = bytes + #record
        if BYTES < bytes and 0 < #newest_first then return newest_first end
        newest_first[#newest_first + 1] = record
      end
      last = '(' .. entry[1]
    end
    records = records + #found
    if #found < STEP then return newest_first end
  end
  return newest_first
end

local page = {}
if UP_TO or 0 < newest then
  local newest_first = read()
  for i = #newest_first, 1, -1 do page[#page + 1] = newest_first[i] end
end
return cmsgpack.pack({ total, page })
