-- Moves a mark of a room forward, never back.
-- KEYS: …, the room's marks
-- ARGV: …, field, epoch, seq, seconds to live
-- Answers where the mark stood, (epoch, seq), or nil where it stood there or further already.
local marks, field, epoch, seq = KEYS[4], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local stood = redis.call('HGET', marks, field) or '0 0'
local stood_epoch, stood_seq = string.match(stood, '^(%d+) (%d+)$')
stood_epoch, stood_seq = tonumber(stood_epoch), tonumber(stood_seq)
if epoch < stood_epoch or (epoch == stood_epoch and seq <= stood_seq) then return pack(nil) end

redis.call('HSET', marks, field, ARGV[4] .. ' ' .. ARGV[5])
redis.call('EXPIRE', marks, ARGV[6])
return pack({ stood_epoch, stood_seq })
