-- An input that joined a turn keeps its key; its body is then taken for the one that made the turn.
ALTER TABLE turns ADD COLUMN body_hash BLOB NOT NULL DEFAULT x'';

UPDATE turns SET body_hash = coalesce(
    (SELECT body_hash FROM inbox WHERE inbox.turn_id = turns.id AND inbox.seq = turns.accepted_seq), x''
);

CREATE TABLE inbox_of_turns (
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    -- The platform's event id, or the client's idempotency key.
    event        TEXT    NOT NULL,
    turn_id      BLOB    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    PRIMARY KEY (channel, account, conversation, event)
) STRICT, WITHOUT ROWID;

INSERT INTO inbox_of_turns SELECT channel, account, conversation, event, turn_id, at FROM inbox;

DROP TABLE inbox;
ALTER TABLE inbox_of_turns RENAME TO inbox;

CREATE INDEX inbox_of_turn ON inbox (turn_id);

ALTER TABLE messages DROP COLUMN saw_seq;
ALTER TABLE turns DROP COLUMN collects;
