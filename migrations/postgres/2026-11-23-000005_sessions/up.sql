-- What people do with sessions and messages, as SQLite's migration of this number has it.

-- 1: put away; lists leave it out unless they are asked for it.
ALTER TABLE sessions ADD COLUMN archived bigint NOT NULL DEFAULT 0 CHECK (archived IN (0, 1));

-- Answers in place of its agent's models; null: those.
ALTER TABLE sessions ADD COLUMN model text;

DROP INDEX sessions_by_change;
DROP INDEX sessions_of_user;
CREATE INDEX sessions_by_change ON sessions (archived, updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, archived, updated_at, id);

-- Seq of the event since which the message is no part of the dialogue any more; null: it is one.
ALTER TABLE messages ADD COLUMN superseded_seq bigint;

-- How many attachments it has.
ALTER TABLE messages ADD COLUMN attached bigint NOT NULL DEFAULT 0;

-- Files and images that came with messages.
CREATE TABLE attachments (
    id         uuid NOT NULL,
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Of the message.
    seq        bigint NOT NULL,
    -- Among those of the message, from 0.
    position   bigint NOT NULL,
    name       text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    data       bytea NOT NULL,
    -- A fork keeps the ids of what it was made from.
    PRIMARY KEY (session_id, id)
);

CREATE INDEX attachments_of_message ON attachments (session_id, seq, position);
