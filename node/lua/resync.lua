-- A node that may have missed something learns where its topics stand. One that it hears and Redis
-- has forgotten begins anew.
--
-- KEYS[4…]: what holds each topic's interest
-- ARGV[3]: seconds for which an entry is kept; ARGV[4…]: r or u, for each
-- Answers the heads, an empty one where the room was deleted.

local heads = {}
for i = 4, #KEYS do
  local kind = ARGV[i]
  if kind == 'r' then revive(KEYS[i], ARGV[3]) end
  heads[#heads + 1] = head_of(kind, KEYS[i])
end
return pack(heads)
