-- Who is in a room now: at most 200 participants, as `enter` stored them.

local ROSTER_MAX = 200

local function roster_of(key)
  local flat = {}
  if redis.call('HLEN', key) <= ROSTER_MAX then
    flat = redis.call('HVALS', key)
  else
    local picked = redis.call('HRANDFIELD', key, ROSTER_MAX, 'WITHVALUES')
    for i = 2, #picked, 2 do flat[#flat + 1] = picked[i] end
  end
  local roster = {}
  for _, value in ipairs(flat) do
    roster[#roster + 1] = string.match(value, '^%d+:(.*)$')
  end
  return roster
end
