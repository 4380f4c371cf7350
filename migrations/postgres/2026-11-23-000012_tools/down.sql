DROP TABLE tool_calls;
CREATE TABLE tool_calls (
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id    uuid NOT NULL,
    -- The model's own id of the call; with the turn, the key under which the tool runs.
    call_id    text NOT NULL,
    attempt    bigint NOT NULL,
    name       text NOT NULL,
    arguments  jsonb NOT NULL,
    state      text NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'unknown')),
    result     jsonb,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (session_id, turn_id, call_id)
);
