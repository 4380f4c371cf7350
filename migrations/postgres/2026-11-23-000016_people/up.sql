-- More people than one: a name is one person's, whatever the case of its letters.
CREATE UNIQUE INDEX users_by_name ON users (lower(name));

-- What owners see beside their own sessions, in the order of the list.
CREATE INDEX sessions_of_platforms ON sessions (archived, updated_at, id, title) WHERE channel <> 'api';
