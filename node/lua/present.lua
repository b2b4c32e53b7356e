-- Who is in a room now.
--
-- KEYS: roster
return cmsgpack.pack(roster_of(KEYS[1]))
