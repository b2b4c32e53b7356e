-- These users are in these rooms on the calling node now. Only a pair's first such call of a life
-- counts, so repeating it changes nothing.
-- KEYS: …, the life's pairs, the three of `occupants`, then for each pair: the room's roster, the
-- room's meta
-- ARGV: …, then for each pair: room, user, participant, signal
for i = 0, (#ARGV - 2) / 4 - 1 do
  local room, user, participant, signal = unpack(ARGV, 4 * i + 3, 4 * i + 6)
  local roster, meta = KEYS[2 * i + 8], KEYS[2 * i + 9]
  if redis.call('SADD', KEYS[4], room .. ' ' .. user) == 1 then
    local nodes = occupant_read(roster, user)
    occupant_write(roster, user, nodes + 1, participant)
    if nodes == 0 then
      occupant_came(roster, meta, room, user)
      occupant_told(meta, room, signal)
    end
  end
end
publish_frames()
return pack(nil)
