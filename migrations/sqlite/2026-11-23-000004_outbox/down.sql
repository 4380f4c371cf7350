-- What is on its way to platforms is lost.
ALTER TABLE inbox DROP COLUMN reply_to;
DROP TABLE previews;
DROP TABLE outbox;

CREATE TABLE outbox (
    id           BLOB    NOT NULL PRIMARY KEY,
    session_id   TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id      BLOB    NOT NULL,
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    nonce        TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
    attempt      INTEGER NOT NULL,
    -- The platform's id of the message or of its streaming preview.
    platform_id  TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (channel, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_of_session ON outbox (session_id);
