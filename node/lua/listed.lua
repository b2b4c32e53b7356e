-- Who is listed as online, most recently seen first.
--
-- KEYS: times of the list, its roster
-- ARGV: how many at most
-- Answers participants, as `enter` stored them, and when each was seen last.

local flat = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')
local listed = {}
for i = 1, #flat, 2 do
  local entry = redis.call('HGET', KEYS[2], flat[i])
  if entry then
    listed[#listed + 1] = { string.match(entry, '^%d+:(.*)$'), tonumber(flat[i + 1]) }
  end
end
return cmsgpack.pack(listed)
