-- The chain of trust: what a gate remembers besides its first memory. Nothing here goes back.

-- the envelope of the list that was in use before the installed one: what is left should that one
-- be damaged; version and chain speak of the newest all the same
ALTER TABLE lists ADD COLUMN before BLOB;
