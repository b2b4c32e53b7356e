-- What access to a room asks: whether the user is banned, the head of the room's record, and what
-- the user is to it. Without the latter where nobody made the room or it was deleted.
--
-- KEYS: meta, members, the room's bars, bars that hold in every room, what was taken back
-- ARGV: user
-- Answers 1 or 0; a text that changes whenever the application changes the room's record, its members
-- or what the user's tokens are worth; then the head, and the role.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local banned = '0'
for i = 3, 4 do
  local bar = redis.call('HGET', KEYS[i], ARGV[1])
  local until_ms = bar and tonumber(string.match(bar, '^%d+ (%d+)$'))
  if until_ms and now < until_ms then banned = '1' end
end

local meta = redis.call('HMGET', KEYS[1],
  'visibility', 'state', 'name', 'description', 'department', 'epoch', 'seq', 'created', 'rules')
local revoked = redis.call('ZSCORE', KEYS[5], 'u ' .. ARGV[1]) or ''
local version = (meta[8] or '') .. ' ' .. (meta[9] or '') .. ' ' .. revoked
if not meta[1] or meta[2] == 'deleted' then return cmsgpack.pack({ banned, 'none ' .. revoked }) end
meta[8] = redis.call('HGET', KEYS[2], ARGV[1])
for i = 1, 8 do meta[i] = meta[i] or '' end
return cmsgpack.pack({ banned, version, unpack(meta, 1, 8) })
