-- The shard's present generation: as long as it stays, Redis is the same and has lost nothing.
return pack(GENERATION)
