DROP TABLE tool_calls;
CREATE TABLE tool_calls (
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id    BLOB    NOT NULL,
    -- The model's own id of the call; with the turn, the key under which the tool runs.
    call_id    TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    arguments  TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'unknown')),
    result     TEXT,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (session_id, turn_id, call_id)
) STRICT, WITHOUT ROWID;
