-- A node begins to hear a topic, and learns where it stands.
--
-- KEYS[4]: what holds the topic's interest; of a room also KEYS[5] log, KEYS[6] roster, KEYS[7] redacted
-- ARGV[3]: r or u; ARGV[4]: stamp; ARGV[5]: seconds for which an entry is kept
-- Answers the head, the newest page and who is there; an empty head where there is no such room.

local KIND, STAMP, KEPT_S = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local head = head_of(KIND, KEYS[4])
if #head == 0 then return pack({ head, {}, {} }) end
add_interest(KIND, KEYS[4], STAMP)
if KIND == 'u' then return pack({ head, {}, {} }) end

local newest = newest_page(KEYS[5], KEYS[7], NOW - KEPT_S * 1000)
return pack({ head, newest, roster_of(KEYS[6]) })
