-- A room that is open again is active if somebody is in it.
--
-- KEYS: active rooms of the partition, rooms that were made, the room's meta and roster
-- ARGV: room

local is_open = redis.call('HGET', KEYS[3], 'state') == 'open'
local is_active = is_open and redis.call('EXISTS', KEYS[4]) == 1
  and redis.call('ZSCORE', KEYS[2], ARGV[1]) and true or false
if is_active then redis.call('SADD', KEYS[1], ARGV[1]) end
return cmsgpack.pack(is_active)
