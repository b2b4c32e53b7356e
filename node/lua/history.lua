-- What follows a place of a room's log; or the newest page, where the log does not lead on from
-- there: it was trimmed, or the place was lost with its epoch.
--
-- KEYS: meta, log, redacted
-- ARGV: epoch, seq, seconds for which an entry is kept

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local EPOCH, SEQ, SINCE = tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3] * 1000

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'nth')
local head = { tonumber(meta[1]) or 0, tonumber(meta[2]) or 0, tonumber(meta[3]) or 0 }

-- Whether the place is one of this log.
local function is_known()
  -- Before the first entry nothing can have been lost, whatever epoch the room was in.
  if SEQ == 0 then return true end
  local record = record_at(KEYS[2], KEYS[3], SEQ)
  return record and header_of(record) == EPOCH
end

-- The entries after the place, or nil where one is missing.
local function following()
  local page, expected, complete = {}, SEQ + 1, true
  read_page(KEYS[2], KEYS[3], 1, SEQ, function(record, seq)
    local _, _, at = header_of(record)
    complete = seq == expected and SINCE <= at
    if complete then
      page[#page + 1] = record
      expected = expected + 1
    end
    return complete
  end)
  -- A log that was trimmed to nothing has no first entry that would show it.
  if complete and #page == 0 and SEQ < head[2] then complete = false end
  return complete and page or nil
end

if SEQ <= head[2] and is_known() then
  local page = following()
  if page then return cmsgpack.pack({ after = page }) end
end
return cmsgpack.pack({ reset = { head, newest_page(KEYS[2], KEYS[3], SINCE) } })
