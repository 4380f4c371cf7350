-- The ledger also holds what was spent beside turns' own answers: lost races, parts of a panel, calls that failed or
-- were cut off, calls of no session. `turn_id` of such an entry is an id of its own.

-- 1: the entry of a turn that was answered.
ALTER TABLE usage ADD COLUMN turns bigint NOT NULL DEFAULT 1 CHECK (turns IN (0, 1));

-- Model calls; steps of a turn are not counted one by one.
ALTER TABLE usage ADD COLUMN calls bigint NOT NULL DEFAULT 1;

-- The turn beside whose answer it was spent; null in a turn's own entry, and where there is no turn.
ALTER TABLE usage ADD COLUMN of_turn uuid;

-- 1: the provider did not say what was used.
ALTER TABLE usage ADD COLUMN estimated bigint NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1));

CREATE INDEX usage_beside ON usage (of_turn) WHERE of_turn IS NOT NULL;
