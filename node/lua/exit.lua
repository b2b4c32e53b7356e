-- These users are in these rooms no more on a node: the node says so, or a reaper for a life that
-- is dead. Pairs that the life does not have are passed over.
-- KEYS: …, the life's pairs, the three of `occupants`, then for each pair: the room's roster, the
-- room's meta
-- ARGV: …, then for each pair: room, user, signal
for i = 0, (#ARGV - 2) / 3 - 1 do
  local room, user, signal = unpack(ARGV, 3 * i + 3, 3 * i + 5)
  local roster, meta = KEYS[2 * i + 8], KEYS[2 * i + 9]
  if redis.call('SREM', KEYS[4], room .. ' ' .. user) == 1 then
    local nodes, participant = occupant_read(roster, user)
    if 1 < nodes then
      occupant_write(roster, user, nodes - 1, participant)
    else
      redis.call('HDEL', roster, user)
      occupant_went(roster, room, user)
      occupant_told(meta, room, signal)
    end
  end
end
publish_frames()
return pack(nil)
