-- Who belongs to a room of which there is news: told at most once a second, unless it is pressing.
--
-- KEYS: meta, members, roster, what holds back news, the room's bars, bars that hold in every room
-- ARGV: how many members at most, whether it is pressing: 1 or 0
-- Answers after how many milliseconds to ask again, or 0; the room's department; members and their
-- roles; who is in the room. Whoever is banned is none of them.

local MAX = tonumber(ARGV[1])

if ARGV[2] == '0' and not redis.call('SET', KEYS[4], '', 'PX', 1000, 'NX') then
  return cmsgpack.pack({ math.max(1, redis.call('PTTL', KEYS[4])), '', {}, {}, {} })
end

local members
if redis.call('HLEN', KEYS[2]) <= MAX then
  members = redis.call('HGETALL', KEYS[2])
else
  members = redis.call('HRANDFIELD', KEYS[2], MAX, 'WITHVALUES')
end

-- Those who are banned from the room: nothing of it reaches them, not even that there is news.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function is_banned(user)
  for i = 5, 6 do
    local bar = redis.call('HGET', KEYS[i], user)
    local until_ms = bar and tonumber(string.match(bar, '^%d+ (%d+)$'))
    if until_ms and now < until_ms then return true end
  end
  return false
end
local told = {}
for i = 1, #members, 2 do
  if not is_banned(members[i]) then
    told[#told + 1] = members[i]
    told[#told + 1] = members[i + 1]
  end
end

-- Whoever is still seen in the room, and agents who hear of it in their department's.
local banned, department = {}, redis.call('HGET', KEYS[1], 'department') or ''
if 0 < redis.call('HLEN', KEYS[5]) then
  local listed = redis.call('HSCAN', KEYS[5], 0, 'COUNT', MAX)[2]
  for i = 1, #listed, 2 do
    if is_banned(listed[i]) then banned[#banned + 1] = listed[i] end
  end
end
return cmsgpack.pack({ 0, department, told, roster_of(KEYS[3]), banned })
