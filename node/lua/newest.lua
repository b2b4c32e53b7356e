-- The newest records up to a place of a room's log, oldest first.
--
-- KEYS: log, redacted
-- ARGV: seq up to which, how many at most

local newest_first, bytes = {}, 0
local BYTES, COUNT = 1024 * 1024, tonumber(ARGV[2])
walk(KEYS[1], KEYS[2], -1, tonumber(ARGV[1]) + 1, function(record)
  bytes = bytes + #record
  if COUNT <= #newest_first or (BYTES < bytes and 0 < #newest_first) then return false end
  newest_first[#newest_first + 1] = record
  return true
end)
return cmsgpack.pack(reversed(newest_first))
