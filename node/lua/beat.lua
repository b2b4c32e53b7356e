-- A node's beat: refreshes its lease, marks nodes dead whose lease has ended, and publishes the
-- present count of the node's inbox to that inbox, so the node sees whether it has heard all.
--
-- ARGV[3]: register (the life is new), refresh, or retire (the lease ends soon, nothing follows);
-- ARGV[4]: number of the beat; ARGV[5], ARGV[6]: connections and rooms of the node
-- Answers generation and the table of lives: (life, state, connections, rooms) each.

local MODE, NUMBER = ARGV[3], tonumber(ARGV[4])
local LEASE_MS, RETIRE_MS = 8000, 5000
-- Nodes beat every 500 ms: where none has for so long, Redis itself was away.
local AWAY_MS = 4000

if MODE ~= 'register' and not alive(LIFE) then return stale() end

local function row(deadline, state, connections, rooms)
  return int(deadline) .. ' ' .. state .. ' ' .. connections .. ' ' .. rooms
end

local last = tonumber(redis.call('HGET', KEYS[1], 'beat')) or NOW
redis.call('HSET', KEYS[1], 'beat', int(NOW))
-- The time in which nobody could refresh counts against nobody.
local was_away = AWAY_MS < NOW - last

local lives = {}
local function add(life, state, connections, rooms)
  lives[#lives + 1] = { life, state, tonumber(connections), tonumber(rooms) }
end

local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do
  local life = flat[i]
  local deadline, state, connections, rooms =
    string.match(flat[i + 1], '^(%d+) (%l+) (%d+) (%d+)$')
  deadline = tonumber(deadline)
  if life ~= LIFE then
    if state ~= 'dead' and was_away then
      deadline = math.max(deadline, NOW + LEASE_MS)
      redis.call('HSET', KEYS[2], life, row(deadline, state, connections, rooms))
    elseif state ~= 'dead' and deadline < NOW then
      state = 'dead'
      redis.call('HSET', KEYS[2], life, row(deadline, state, connections, rooms))
    end
    add(life, state, connections, rooms)
  end
end
local lease = MODE == 'retire' and RETIRE_MS or LEASE_MS
redis.call('HSET', KEYS[2], LIFE, row(NOW + lease, 'live', ARGV[5], ARGV[6]))
add(LIFE, 'live', ARGV[5], ARGV[6])

local index = index_of(LIFE)
local count = tonumber(redis.call('HGET', KEYS[3], index)) or 0
redis.call('PUBLISH', INBOX .. index, pack({ FRAME_VERSION, GENERATION, count, NUMBER, 0 }))
return pack({ GENERATION, lives })
