DROP TABLE attachments;
ALTER TABLE messages DROP COLUMN attached;
ALTER TABLE messages DROP COLUMN superseded_seq;
DROP INDEX sessions_by_change;
DROP INDEX sessions_of_user;
ALTER TABLE sessions DROP COLUMN model;
ALTER TABLE sessions DROP COLUMN archived;
CREATE INDEX sessions_by_change ON sessions (updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, updated_at, id);
