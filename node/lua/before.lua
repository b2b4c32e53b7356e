-- The place of the newest entry of a room's log that was stored by a time: epoch and seq, or
-- nothing where every entry that is left was stored later.
-- KEYS: the log
-- ARGV: the time
local log, time = KEYS[1], tonumber(ARGV[1])

local function read(entry)
  local epoch, _, at = header_of(entry[2][2])
  return seq_of(entry[1]), epoch, at
end

local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
if not first then return cmsgpack.pack({}) end
local low, found, at = read(first)
if time < at then return cmsgpack.pack({}) end

-- `low` was stored by then; whatever comes after `high` was not.
local high = seq_of(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1][1])
while low < high do
  local middle = math.ceil((low + high) / 2)
  local id = string.format('%.0f-0', middle)
  local seq, epoch, stored = read(redis.call('XRANGE', log, id, '+', 'COUNT', 1)[1])
  if stored <= time then
    low, found = seq, epoch
  else
    high = middle - 1
  end
end
return cmsgpack.pack({ found, low })
