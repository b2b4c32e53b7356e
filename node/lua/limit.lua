-- Takes one use of a rolling window. The list holds when the newest uses were counted, in
-- microseconds, so every window of length `per` holds at most `times` of them.
-- KEYS: …, the list
-- ARGV: …, times (at least 1), per in microseconds
-- Answers 0 where the use is counted, else after how many microseconds one would be.
local uses, times, per = KEYS[4], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = clock[1] * 1000000 + clock[2]

-- The use that must have left the window before this one; none while there were fewer than `times`.
local oldest = redis.call('LINDEX', uses, -times)
local wait = oldest and tonumber(oldest) + per - now or 0
if 0 < wait then return pack(wait) end

redis.call('RPUSH', uses, int(now))
redis.call('LTRIM', uses, -times, -1)
-- A second more than the window: deadlines go by whole milliseconds.
redis.call('PEXPIRE', uses, int(math.ceil(per / 1000) + 1000))
return pack(0)
