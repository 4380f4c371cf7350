-- A turn may have several inputs, each with a key and a body of its own, and finished steps between them.

-- 1: later inputs may join the turn while it waits.
ALTER TABLE turns ADD COLUMN collects INTEGER NOT NULL DEFAULT 0 CHECK (collects IN (0, 1));

-- Of what a model said before its turn's end: seq of the newest input that it saw. Null: all that stands before it.
ALTER TABLE messages ADD COLUMN saw_seq INTEGER;

-- The hash of the body moves from the turn to the input.
CREATE TABLE inbox_of_inputs (
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    -- The platform's event id, or the client's idempotency key.
    event        TEXT    NOT NULL,
    turn_id      BLOB    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    -- Seq of its `turn.accepted` and of the user's message.
    seq          INTEGER NOT NULL,
    body_hash    BLOB    NOT NULL,
    PRIMARY KEY (channel, account, conversation, event)
) STRICT, WITHOUT ROWID;

INSERT INTO inbox_of_inputs
SELECT channel, account, conversation, event, turn_id, at, accepted_seq, body_hash
FROM inbox JOIN turns ON turns.id = inbox.turn_id;

DROP TABLE inbox;
ALTER TABLE inbox_of_inputs RENAME TO inbox;

-- Turn ids sort by time: this index grows at its end only, and finds what is old.
CREATE INDEX inbox_of_turn ON inbox (turn_id);

ALTER TABLE turns DROP COLUMN body_hash;
