-- Keeps what came of a request of the server API, and finds a repeated one.
--
-- KEYS: request
-- ARGV: begin, its fingerprint and seconds to live; keep, fingerprint, seconds, answer; or drop
-- Answers to begin: new, or the fingerprint and the answer that is kept, which is empty while the
-- first request is under way.

local what, fingerprint, seconds = ARGV[1], ARGV[2], ARGV[3]
if what == 'drop' then
  redis.call('DEL', KEYS[1])
  return cmsgpack.pack('new')
end
if what == 'keep' then
  redis.call('SET', KEYS[1], cmsgpack.pack({ fingerprint, ARGV[4] }), 'EX', seconds)
  return cmsgpack.pack('new')
end
local kept = redis.call('GET', KEYS[1])
if kept then return cmsgpack.pack({ kept = cmsgpack.unpack(kept) }) end
redis.call('SET', KEYS[1], cmsgpack.pack({ fingerprint, '' }), 'EX', seconds)
return cmsgpack.pack('new')
