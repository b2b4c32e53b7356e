-- How many messages of a room a user has not read, and up to which place the user has.
--
-- KEYS: meta, log, redacted, marks
-- ARGV: user
-- Answers the room's messages, those up to the mark, and the mark's epoch and seq.

local meta = redis.call('HMGET', KEYS[1], 'seq', 'nth')
local seq, total = tonumber(meta[1]) or 0, tonumber(meta[2]) or 0
local mark = redis.call('HGET', KEYS[4], ARGV[1]) or '0 0'
local epoch, place = string.match(mark, '^(%d+) (%d+)$')
place = tonumber(place)
local read = 0
if 0 < place then
  local record = record_at(KEYS[2], KEYS[3], place)
  if record then
    local _, nth = header_of(record)
    read = nth
  else
    -- The log has been cut behind the mark: what was cut counts as read.
    read = math.max(0, math.min(total, place - (seq - total)))
  end
end
return cmsgpack.pack({ total, read, tonumber(epoch), place })
