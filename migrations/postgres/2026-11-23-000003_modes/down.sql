-- An input that joined a turn keeps its key; its body is then taken for the one that made the turn.
ALTER TABLE turns ADD COLUMN body_hash bytea NOT NULL DEFAULT '';

UPDATE turns SET body_hash = inbox.body_hash FROM inbox
WHERE inbox.turn_id = turns.id AND inbox.seq = turns.accepted_seq;

ALTER TABLE inbox DROP COLUMN seq, DROP COLUMN body_hash;
ALTER TABLE messages DROP COLUMN saw_seq;
ALTER TABLE turns DROP COLUMN collects;
