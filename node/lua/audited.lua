-- Reads audit records, newest first.
-- KEYS: the records; ARGV: from where back, how many at most
-- Answers places and records, alternately.
local flat = {}
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', ARGV[2])) do
  flat[#flat + 1] = entry[1]
  flat[#flat + 1] = entry[2][2]
end
return cmsgpack.pack(flat)
