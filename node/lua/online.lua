-- Users of some buckets who have a connection.
--
-- KEYS: buckets
-- Answers user and entry, one after the other.

local found = {}
for _, bucket in ipairs(KEYS) do
  local flat = redis.call('HGETALL', bucket)
  for i = 1, #flat, 2 do
    if string.sub(flat[i + 1], 1, 2) ~= '0 ' then
      found[#found + 1] = flat[i]
      found[#found + 1] = flat[i + 1]
    end
  end
end
return cmsgpack.pack(found)
