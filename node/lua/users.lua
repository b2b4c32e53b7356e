-- For up, down and status: what a bucket keeps of a user, `<nodes> <version> <status> <last seen>`.
--
-- The last of KEYS: how many users of the partition are not seen as offline
local ONLINE = KEYS[#KEYS]

-- Whoever left longer ago than this, in milliseconds, may be forgotten.
local FORGET_AFTER = 30 * 86400 * 1000

local function user_parse(entry)
  local nodes, version, status, seen = string.match(entry or '', '^(%d+) (%d+) (%l+) (%d+)$')
  if not nodes then return { nodes = 0, version = 0, status = 'offline', seen = 0 } end
  return {
    nodes = tonumber(nodes), version = tonumber(version), status = status, seen = tonumber(seen),
  }
end

local function user_read(bucket, name)
  return user_parse(redis.call('HGET', bucket, name))
end

local function user_write(bucket, name, user)
  local entry = int(user.nodes) .. ' ' .. int(user.version) .. ' ' .. user.status
  redis.call('HSET', bucket, name, entry .. ' ' .. int(user.seen))
end

-- From now on the user is seen as `status`: a new version for everyone, if that is news.
local function user_show(name, user, status)
  if user.status == status then return end
  if user.status == 'offline' then
    redis.call('INCR', ONLINE)
  elseif status == 'offline' then
    redis.call('DECR', ONLINE)
  end
  user.status = status
  user.version = math.max(NOW, user.version + 1)
  tell_all(presence_item(name, user.version, status))
end

-- Tells those who hear the user's topic on how many nodes the user is.
local function user_spread(interest, name, user)
  local text = redis.call('GET', interest)
  if text then
    tell(interested(text), user_signal(name, pack({ Spread = { nodes = user.nodes } })))
  end
end

-- Looks at one user of the bucket, and forgets whoever left long ago. Each departure pays for one
-- look, so a bucket holds little more than the users of the last weeks.
local function forget_one(bucket)
  local name, entry = unpack(redis.call('HRANDFIELD', bucket, 1, 'WITHVALUES'))
  local user = user_parse(entry)
  if user.nodes == 0 and user.seen + FORGET_AFTER < NOW then
    redis.call('HDEL', bucket, name)
  end
end
