-- Nothing has used the table before. What a tool said stands in its message, once.
DROP TABLE tool_calls;
CREATE TABLE tool_calls (
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id    uuid NOT NULL,
    -- Unique in its turn; with the turn, the key under which the tool runs.
    call_id    text COLLATE "C" NOT NULL,
    -- The assistant's message that asked, and the place among the calls of it.
    seq        bigint NOT NULL,
    position   bigint NOT NULL,
    name       text NOT NULL,
    arguments  text NOT NULL,
    -- What the model's provider wants to have back with the call.
    signature  text,
    state      text NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'unknown')),
    -- The message that answers it. None while it is intended, and where its turn ended first.
    result_seq bigint,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (session_id, turn_id, call_id)
);
