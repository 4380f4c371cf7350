DROP TABLE links;
DROP TABLE browsers;
ALTER TABLE tokens DROP COLUMN expires_at;
