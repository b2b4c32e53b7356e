-- A page of a room's messages, counted from the newest, from before one of them, or from the newest
-- up to a place.
--
-- KEYS: meta, log, redacted
-- ARGV: messages to pass over, messages at most, seconds for which an entry is kept; perhaps the
-- number of the message before which the page ends, or the epoch and seq of the place
-- Answers how many messages the room had, and the records, oldest first. Records of other events
-- between them are answered too; at most a mebibyte, unless one record is larger.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local OFFSET, LIMIT, SINCE = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3] * 1000
local UP_TO = tonumber(ARGV[5])
local BYTES, RECORDS = 1024 * 1024, 1024

local meta = redis.call('HMGET', KEYS[1], 'seq', 'nth', 'state', 'epoch')
local seq, total = tonumber(meta[1]) or 0, tonumber(meta[2]) or 0
if meta[3] == 'deleted' then return cmsgpack.pack({ 0, {} }) end
if UP_TO and tonumber(ARGV[4]) ~= tonumber(meta[4]) then
  return cmsgpack.pack({ total, {} })
end

-- The messages wanted are those numbered above `oldest` up to `newest`. A message's number is at
-- most its seq, and behind it by no more than the room's other events. The first record up to a
-- place tells how many messages there are up to it.
local newest, oldest
local function want(count)
  newest = count - OFFSET
  oldest = math.max(0, newest - LIMIT)
end
if not UP_TO then want(ARGV[4] and math.min(ARGV[4] - 1, total) or total) end

local newest_first, bytes, records = {}, 0, 0
local function take(record)
  local _, nth, at = header_of(record)
  if not newest then want(nth) end
  records = records + 1
  if nth <= oldest or at < SINCE or RECORDS < records then return false end
  if newest < nth then return true end
  bytes = bytes + #record
  if BYTES < bytes and 0 < #newest_first then return false end
  newest_first[#newest_first + 1] = record
  return true
end

if UP_TO or 0 < newest then
  walk(KEYS[2], KEYS[3], -1, (UP_TO or newest + seq - total) + 1, take)
end
return cmsgpack.pack({ total, reversed(newest_first) })
