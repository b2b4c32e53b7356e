-- The newest records up to a place of a room's log, oldest first.
--
-- KEYS: log
-- ARGV: seq up to which, how many at most

local newest_first, page, bytes = {}, {}, 0
local BYTES = 1024 * 1024
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1] .. '-0', '-', 'COUNT', ARGV[2])) do
  local record = entry[2][2]
  bytes = bytes + #record
  if BYTES < bytes and 0 < #newest_first then break end
  newest_first[#newest_first + 1] = record
end
for i = #newest_first, 1, -1 do page[#page + 1] = newest_first[i] end
return cmsgpack.pack(page)
