-- These users have a connection on the calling node now. Only a user's first such call of a life
-- counts, so repeating it changes nothing.
-- KEYS: …, the life's users, then for each user: bucket, interest in the user's topic; the one of
-- `users`
-- ARGV: …, then the users
for i = 3, #ARGV do
  local name, bucket, interest = ARGV[i], KEYS[2 * i - 1], KEYS[2 * i]
  if redis.call('SADD', KEYS[4], name) == 1 then
    local user = user_read(bucket, name)
    user.nodes = user.nodes + 1
    -- Whatever an earlier stay was seen as, a new one begins online.
    if user.nodes == 1 then user_show(name, user, 'online') end
    user_write(bucket, name, user)
    user_spread(interest, name, user)
  end
end
publish_frames()
return pack(nil)
