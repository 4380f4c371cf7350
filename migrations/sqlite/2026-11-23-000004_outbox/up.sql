-- Answers on their way to platforms. Nothing wrote to the table before.

DROP TABLE outbox;

CREATE TABLE outbox (
    -- Never given again. Within a conversation, items go out in this order.
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    session_id   TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id      BLOB    NOT NULL,
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    -- The platform's id of the message that is answered.
    reply_to     TEXT,
    body         TEXT    NOT NULL,
    -- The platform's ids: of the streaming preview, and of the newest part that was delivered.
    preview      TEXT,
    platform_id  TEXT,
    -- The part that is next, and how many bytes of the text those before it showed.
    part         INTEGER NOT NULL,
    shown        INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
    -- How often this part was taken up, and the process that did so last.
    attempt      INTEGER NOT NULL,
    holder       BLOB,
    -- Set on the first open item of a conversation, and only there: the others wait behind it.
    due_at       INTEGER,
    -- Why it is unknown or dead.
    why          TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX outbox_first ON outbox (channel, account, conversation) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_due ON outbox (channel, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_open ON outbox (channel, account, conversation, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_closed ON outbox (state, updated_at) WHERE state IN ('sent', 'unknown', 'dead');
CREATE INDEX outbox_of_session ON outbox (session_id);
CREATE INDEX outbox_of_turn ON outbox (turn_id);

-- The message that a turn is streamed into; its end takes it over.
CREATE TABLE previews (
    turn_id      BLOB    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    platform_id  TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (turn_id, channel, account, conversation)
) STRICT, WITHOUT ROWID;

-- The platform's id of the message, where an answer may refer to it.
ALTER TABLE inbox ADD COLUMN reply_to TEXT;
