-- A node says again which topics it hears, and learns where they stand. One that it hears and Redis
-- has forgotten begins anew.
--
-- KEYS[4…]: what holds each topic's interest
-- ARGV[3]: seconds for which an entry is kept; ARGV[4…]: r or u, and the stamp, for each
-- Answers the heads, an empty one where the room was deleted.

local heads = {}
for i = 4, #KEYS do
  local kind, stamp = ARGV[2 * i - 4], tonumber(ARGV[2 * i - 3])
  if kind == 'r' then revive(KEYS[i], ARGV[3]) end
  local head = head_of(kind, KEYS[i])
  if 0 < #head then add_interest(kind, KEYS[i], stamp) end
  heads[#heads + 1] = head
end
return pack(heads)
