-- A page of a room's messages, counted from the newest or from one of them.
--
-- KEYS: meta, log, redacted
-- ARGV: messages to pass over, messages at most, seconds for which an entry is kept, number of the
-- message from which the page counts, or 0
-- Answers how many messages the room had, and the records, oldest first. Records of other events
-- between them are answered too; at most a mebibyte, unless one record is larger.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local OFFSET, LIMIT, SINCE = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3] * 1000
local FROM = tonumber(ARGV[4])
local BYTES, RECORDS = 1024 * 1024, 1024

local meta = redis.call('HMGET', KEYS[1], 'seq', 'nth', 'state')
local seq, total = tonumber(meta[1]) or 0, tonumber(meta[2]) or 0
if meta[3] == 'deleted' then return cmsgpack.pack({ 0, {} }) end

-- The messages wanted are those numbered above `oldest` up to `newest`. A message's number is at
-- most its seq, and behind it by no more than the room's other events.
local newest = (0 < FROM and math.min(FROM - 1, total) or total) - OFFSET
local oldest = math.max(0, newest - LIMIT)

local function read()
  local newest_first, bytes, records = {}, 0, 0
  walk(KEYS[2], KEYS[3], -1, newest + seq - total + 1, function(record)
    local _, nth, at = header_of(record)
    records = records + 1
    if nth <= oldest or at < SINCE or RECORDS < records then return false end
    if newest < nth then return true end
    bytes = bytes + #record
    if BYTES < bytes and 0 < #newest_first then return false end
    newest_first[#newest_first + 1] = record
    return true
  end)
  return newest_first
end

return cmsgpack.pack({ total, 0 < newest and reversed(read()) or {} })
