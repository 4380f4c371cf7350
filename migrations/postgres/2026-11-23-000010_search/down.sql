DROP INDEX sessions_by_change;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_by_change ON sessions (archived, updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, archived, updated_at, id);
