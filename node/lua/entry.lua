-- The record at exactly one place of a room's log, or nothing.
--
-- KEYS: log, redacted
-- ARGV: epoch, seq

local record = record_at(KEYS[1], KEYS[2], tonumber(ARGV[2]))
if not record or header_of(record) ~= tonumber(ARGV[1]) then return cmsgpack.pack({}) end
return cmsgpack.pack({ record })
