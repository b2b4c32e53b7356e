-- Keeps audit records, and lets go of old ones.
-- KEYS: the records; ARGV: how many are kept, milliseconds for which they are, then each record
local records, most, kept_ms = KEYS[1], ARGV[1], ARGV[2]
for i = 3, #ARGV do
  redis.call('XADD', records, 'MAXLEN', '~', most, '*', 'd', ARGV[i])
end
local clock = redis.call('TIME')
local oldest = math.max(0, clock[1] * 1000 - tonumber(kept_ms))
redis.call('XTRIM', records, 'MINID', '~', string.format('%.0f', oldest))
redis.call('PEXPIRE', records, kept_ms)
return cmsgpack.pack(#ARGV - 2)
