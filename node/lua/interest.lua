-- Reading and changing who hears a topic. A topic is given as `r` (a room: a field of its meta) or
-- `u` (a user: a string of its own).

-- A node says every minute what it hears; what nobody says any more goes.
local INTEREST_S = 600

local function add_interest(kind, key, stamp)
  if kind == 'r' then
    local text = with_interest(redis.call('HGET', key, 'nodes') or '', stamp)
    if text then redis.call('HSET', key, 'nodes', text) end
  else
    local text = with_interest(redis.call('GET', key) or '', stamp)
    if text then
      redis.call('SET', key, text, 'EX', INTEREST_S)
    else
      redis.call('EXPIRE', key, INTEREST_S)
    end
  end
end

local function drop_interest(kind, key, stamp)
  if kind == 'r' then
    local text = without_interest(redis.call('HGET', key, 'nodes') or '', stamp)
    if text then redis.call('HSET', key, 'nodes', text) end
  else
    local text = without_interest(redis.call('GET', key) or '', stamp)
    if text == '' then
      redis.call('DEL', key)
    elseif text then
      redis.call('SET', key, text, 'KEEPTTL')
    end
  end
end

-- Epoch, seq and nth of a topic's newest place; nothing where the room was deleted or is unknown.
local function head_of(kind, key)
  if kind == 'u' then return { 0, 0, 0 } end
  local meta = redis.call('HMGET', key, 'epoch', 'seq', 'nth', 'state')
  if not meta[1] or meta[4] == 'deleted' then return {} end
  return { tonumber(meta[1]), tonumber(meta[2]), tonumber(meta[3]) }
end

-- A room that a node hears and Redis has forgotten begins anew, in an epoch of its own: Redis lost
-- its data. Nothing but talk is known of it, so it goes with its log.
local function revive(key, kept_s)
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'epoch', int(NOW), 'seq', 0, 'nth', 0,
      'generation', int(GENERATION))
    redis.call('EXPIRE', key, kept_s)
  elseif not redis.call('HGET', key, 'visibility') then
    redis.call('EXPIRE', key, kept_s)
  end
end
