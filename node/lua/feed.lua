-- What follows a place of the feed.
--
-- KEYS: feed
-- ARGV: id and number of the place's batch, or - and 0 for the oldest that is kept; batches at most
-- Answers whether something that followed the place is kept no more, and id, number and content of
-- each batch.

local ID, NUMBER = ARGV[1], tonumber(ARGV[2])

local function number_of(entry) return tonumber(entry[2][4]) end

local first = ID == '-' and '-' or '(' .. ID
local found = redis.call('XRANGE', KEYS[1], first, '+', 'COUNT', ARGV[3])
local is_cut = false
if ID ~= '-' then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local last = found[1] and number_of(found[1]) - 1 or newest and number_of(newest) or 0
  is_cut = last ~= NUMBER
  -- Numbers go on after a loss too: a batch that is gone while an earlier one is there was lost.
  if #redis.call('XRANGE', KEYS[1], ID, ID) == 0
    and 0 < #redis.call('XREVRANGE', KEYS[1], '(' .. ID, '-', 'COUNT', 1) then
    is_cut = true
  end
end
local batches = {}
for _, entry in ipairs(found) do
  batches[#batches + 1] = { entry[1], number_of(entry), entry[2][2] }
end
return cmsgpack.pack({ is_cut, batches })
