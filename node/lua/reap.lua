-- A dead life leaves the table of lives once nothing of it is left to reap. Its field goes last, and
-- in the step that looks, so no set of a life is ever forgotten.
-- KEYS: …, then every set of the life
if redis.call('EXISTS', unpack(KEYS, 4)) == 0 then redis.call('HDEL', KEYS[2], LIFE) end
return pack(nil)
