-- Frees the indexes of nodes that are gone: no life of theirs is left, and they did not ask for
-- their index just now.
--
-- KEYS: nodes
-- ARGV: milliseconds for which a claim stands by itself, then the indexes that have lives

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local used = {}
for i = 2, #ARGV do used[ARGV[i]] = true end

local released = 0
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local index, claimed = string.match(flat[i + 1], '^(%d+) (%d+)$')
  if not used[index] and tonumber(claimed) + tonumber(ARGV[1]) < now then
    redis.call('HDEL', KEYS[1], flat[i])
    released = released + 1
  end
end
return cmsgpack.pack(released)
