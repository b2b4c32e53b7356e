-- These users have no connection on a node any more: the node says so, or a reaper for a life that
-- is dead. Users whom the life does not have are passed over.
-- KEYS: …, the life's users, then for each user: bucket, interest in the user's topic; the one of
-- `users`
-- ARGV: …, then the users
for i = 3, #ARGV do
  local name, bucket, interest = ARGV[i], KEYS[2 * i - 1], KEYS[2 * i]
  if redis.call('SREM', KEYS[4], name) == 1 then
    local user = user_read(bucket, name)
    if 1 < user.nodes then
      user.nodes = user.nodes - 1
      user_spread(interest, name, user)
    else
      user.nodes, user.seen = 0, NOW
      user_show(name, user, 'offline')
      forget_one(bucket)
    end
    user_write(bucket, name, user)
  end
end
publish_frames()
return pack(nil)
