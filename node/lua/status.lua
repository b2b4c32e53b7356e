-- A connected user wants to be seen as something else.
-- KEYS: …, the user's bucket, the one of `users`
-- ARGV: …, user, status
local name, status = ARGV[3], ARGV[4]
local user = user_read(KEYS[4], name)
if 0 < user.nodes then
  user_show(name, user, status)
  user_write(KEYS[4], name, user)
  publish_frames()
end
return pack(nil)
