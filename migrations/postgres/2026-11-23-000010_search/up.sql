-- A search looks at the title of every session; with the title in the index, none has to be looked up for that.
DROP INDEX sessions_by_change;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_by_change ON sessions (archived, updated_at, id, title);
CREATE INDEX sessions_of_user ON sessions (user_id, archived, updated_at, id, title);
