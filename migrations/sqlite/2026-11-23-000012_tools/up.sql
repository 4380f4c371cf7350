-- Nothing has used the table before. What a tool said stands in its message, once.
DROP TABLE tool_calls;
CREATE TABLE tool_calls (
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id    BLOB    NOT NULL,
    -- Unique in its turn; with the turn, the key under which the tool runs.
    call_id    TEXT    NOT NULL,
    -- The assistant's message that asked, and the place among the calls of it.
    seq        INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    arguments  TEXT    NOT NULL,
    -- What the model's provider wants to have back with the call.
    signature  TEXT,
    state      TEXT    NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'unknown')),
    -- The message that answers it. None while it is intended, and where its turn ended first.
    result_seq INTEGER,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (session_id, turn_id, call_id)
) STRICT, WITHOUT ROWID;
