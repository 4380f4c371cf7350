-- What the platform calls whoever waits to be let in, for the one who decides.
ALTER TABLE pairings ADD COLUMN name text NOT NULL DEFAULT '';
