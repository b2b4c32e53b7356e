-- A node stops hearing topics.
--
-- KEYS[4…]: what holds each topic's interest; ARGV[3…]: r or u, and the stamp, for each

for i = 4, #KEYS do
  drop_interest(ARGV[2 * i - 5], KEYS[i], tonumber(ARGV[2 * i - 4]))
end
return pack(#KEYS - 3)
