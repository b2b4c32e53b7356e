-- The record at exactly one place of a room's log, or nothing.
--
-- KEYS: log
-- ARGV: epoch, seq

local id = ARGV[2] .. '-0'
local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
if not entry or header_of(entry[2][2]) ~= tonumber(ARGV[1]) then return cmsgpack.pack({}) end
return cmsgpack.pack({ entry[2][2] })
