-- What people do with sessions and messages: put away, bound to a model, asked again, given files.

-- 1: put away; lists leave it out unless they are asked for it.
ALTER TABLE sessions ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1));

-- Answers in place of its agent's models; null: those.
ALTER TABLE sessions ADD COLUMN model TEXT;

DROP INDEX sessions_by_change;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_by_change ON sessions (archived, updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, archived, updated_at, id);

-- Seq of the event since which the message is no part of the dialogue any more; null: it is one.
ALTER TABLE messages ADD COLUMN superseded_seq INTEGER;

-- How many attachments it has.
ALTER TABLE messages ADD COLUMN attached INTEGER NOT NULL DEFAULT 0;

-- Files and images that came with messages. With rowids: what is large does not belong into a key's tree.
CREATE TABLE attachments (
    id         BLOB    NOT NULL,
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Of the message.
    seq        INTEGER NOT NULL,
    -- Among those of the message, from 0.
    position   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    data       BLOB    NOT NULL,
    -- A fork keeps the ids of what it was made from.
    PRIMARY KEY (session_id, id)
) STRICT;

CREATE INDEX attachments_of_message ON attachments (session_id, seq, position);
