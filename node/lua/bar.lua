-- Bars a user from writing (mute) or from being there at all (ban), for a while or for ever; or
-- lifts that.
--
-- KEYS[4]: bars
-- ARGV[3]: user; ARGV[4]: mute or ban; ARGV[5]: seconds, 0 to lift, or nothing for ever

local EVER = 9007199254740991
local USER, IS_MUTE, SECONDS = ARGV[3], ARGV[4] == 'mute', ARGV[5]

local bar = redis.call('HGET', KEYS[4], USER) or ''
local muted, banned = string.match(bar, '^(%d+) ?(%d*)$')
muted, banned = tonumber(muted) or 0, tonumber(banned) or 0
local until_ms = EVER
if SECONDS == '0' then
  until_ms = 0
elseif SECONDS ~= '' then
  until_ms = math.min(EVER, NOW + tonumber(SECONDS) * 1000)
end
if IS_MUTE then muted = until_ms else banned = until_ms end
if math.max(muted, banned) <= NOW then
  redis.call('HDEL', KEYS[4], USER)
else
  redis.call('HSET', KEYS[4], USER, int(muted) .. ' ' .. int(banned))
end
return pack(until_ms)
