-- Who belongs to a room of which there is news: told at most once a second, unless it is pressing.
--
-- KEYS: meta, members, roster, what holds back news
-- ARGV: how many members at most, whether it is pressing: 1 or 0
-- Answers after how many milliseconds to ask again, or 0; the room's department; members and their
-- roles; who is in the room.

local MAX = tonumber(ARGV[1])

if ARGV[2] == '0' and not redis.call('SET', KEYS[4], '', 'PX', 1000, 'NX') then
  return cmsgpack.pack({ math.max(1, redis.call('PTTL', KEYS[4])), '', {}, {} })
end

local members
if redis.call('HLEN', KEYS[2]) <= MAX then
  members = redis.call('HGETALL', KEYS[2])
else
  members = redis.call('HRANDFIELD', KEYS[2], MAX, 'WITHVALUES')
end
local department = redis.call('HGET', KEYS[1], 'department') or ''
return cmsgpack.pack({ 0, department, members, roster_of(KEYS[3]) })
