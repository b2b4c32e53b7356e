-- Takes back a token, or all tokens of a user, and tells every node.
-- KEYS: …, what was taken back
-- ARGV: …, what, milliseconds for which it is remembered, how many may be
-- Answers when, or `full`.
local revoked, what, kept, most = KEYS[4], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', revoked, '-inf', int(NOW - kept))
if most <= redis.call('ZCARD', revoked) and not redis.call('ZSCORE', revoked, what) then
  return pack('full')
end

-- Later than every other one, whatever the clock does: a node that has read up to a time has missed
-- nothing before it.
local newest = redis.call('ZREVRANGE', revoked, 0, 0, 'WITHSCORES')[2]
local at = math.max(NOW, (tonumber(newest) or 0) + 1)
redis.call('ZADD', revoked, int(at), what)
redis.call('PEXPIRE', revoked, int(kept))
tell_all(pack({ x = { what, at } }))
publish_frames()
return pack({ at = at })
