-- A turn may have several inputs, each with a key and a body of its own, and finished steps between them.

-- 1: later inputs may join the turn while it waits.
ALTER TABLE turns ADD COLUMN collects bigint NOT NULL DEFAULT 0 CHECK (collects IN (0, 1));

-- Of what a model said before its turn's end: seq of the newest input that it saw. Null: all that stands before it.
ALTER TABLE messages ADD COLUMN saw_seq bigint;

-- The hash of the body moves from the turn to the input, with the seq of its `turn.accepted` and of the user's message.
ALTER TABLE inbox ADD COLUMN seq bigint, ADD COLUMN body_hash bytea;

UPDATE inbox SET seq = turns.accepted_seq, body_hash = turns.body_hash FROM turns WHERE turns.id = inbox.turn_id;

ALTER TABLE inbox ALTER COLUMN seq SET NOT NULL, ALTER COLUMN body_hash SET NOT NULL;
ALTER TABLE turns DROP COLUMN body_hash;
