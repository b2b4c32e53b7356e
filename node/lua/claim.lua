-- Gives a node an index that no other node has, and mints an incarnation above all earlier ones.
-- The same name gets the same index again while it is kept.
--
-- KEYS: nodes, control
-- ARGV: node's name, index it would like, number of partitions, format version
-- Answers the index and incarnation, or what partitions and format the prefix was made with.

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local name, liked, partitions, format = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local made = redis.call('HMGET', KEYS[2], 'partitions', 'format', 'incarnation')
if not made[1] then
  redis.call('HSET', KEYS[2], 'partitions', partitions, 'format', format)
elseif made[1] ~= partitions or made[2] ~= format then
  return cmsgpack.pack({ mismatch = { tonumber(made[1]), tonumber(made[2]) } })
end

local index
local taken = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local theirs = string.match(flat[i + 1], '^%d+')
  taken[theirs] = true
  if flat[i] == name then index = theirs end
end
if not index then
  index = liked
  local free = 0
  while taken[index] do
    index = tostring(free)
    free = free + 1
  end
end

local incarnation = math.max(now, (tonumber(made[3]) or 0) + 1)
redis.call('HSET', KEYS[2], 'incarnation', string.format('%.0f', incarnation))
redis.call('HSET', KEYS[1], name, index .. ' ' .. string.format('%.0f', now))
return cmsgpack.pack({ claimed = { tonumber(index), incarnation } })
