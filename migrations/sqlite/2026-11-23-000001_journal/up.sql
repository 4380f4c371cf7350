-- Times are microseconds since 1970 UTC, UUIDs 16 bytes, hashes SHA-256, documents JSON text.
-- Tables of short rows are WITHOUT ROWID: their primary key is the table, so a row costs one tree instead of two.

CREATE TABLE users (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id         BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    channel    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('idle', 'running', 'queued', 'down')),
    -- How often the session was taken into memory: a writer with an older one is refused.
    epoch      INTEGER NOT NULL,
    -- The newest number given to an event.
    last_seq   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_change ON sessions (updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, updated_at, id);

CREATE TABLE turns (
    id           BLOB    NOT NULL PRIMARY KEY,
    session_id   TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
    agent        TEXT    NOT NULL,
    -- Asked for by its input, in place of the agent's own models.
    model        TEXT,
    attempt      INTEGER NOT NULL,
    charged      INTEGER NOT NULL,
    -- Seq of `turn.accepted` and of the user's message.
    accepted_seq INTEGER NOT NULL,
    -- Seq of the end and of the assistant's message; null while the turn is open.
    end_seq      INTEGER,
    body_hash    BLOB    NOT NULL,
    accepted_at  INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    CHECK ((end_seq IS NULL) = (state IN ('queued', 'running')))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX turns_in_order ON turns (session_id, accepted_seq);
CREATE INDEX turns_open ON turns (session_id, accepted_seq) WHERE end_seq IS NULL;
-- At most one turn of a session runs, whatever its writer believes.
CREATE UNIQUE INDEX turns_running ON turns (session_id) WHERE state = 'running';

CREATE TABLE events (
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    turn_id    BLOB,
    body       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    turn_id    BLOB    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
    agent      TEXT,
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    -- The platform's event id, or the client's idempotency key.
    event        TEXT    NOT NULL,
    turn_id      BLOB    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    PRIMARY KEY (channel, account, conversation, event)
) STRICT, WITHOUT ROWID;

-- Turn ids sort by time: this index grows at its end only, and finds what is old.
CREATE INDEX inbox_of_turn ON inbox (turn_id);

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

-- The ledger: what was spent stays spent, so it outlives its session.
CREATE TABLE usage (
    turn_id       BLOB    NOT NULL PRIMARY KEY,
    session_id    TEXT    NOT NULL,
    user_id       BLOB    NOT NULL,
    agent         TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    -- Null where the model has no price.
    cost_usd      REAL,
    at            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (
    channel      TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    session_id   TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- 1: answers to inputs from elsewhere are shown here too.
    mirror       INTEGER NOT NULL CHECK (mirror IN (0, 1)),
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (channel, account, conversation)
) STRICT, WITHOUT ROWID;

CREATE INDEX bindings_of_session ON bindings (session_id);

CREATE TABLE pairings (
    code_hash  BLOB    NOT NULL PRIMARY KEY,
    channel    TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    -- The stranger, as the platform names them.
    sender     TEXT    NOT NULL,
    -- Who they turned out to be; null until paired.
    user_id    BLOB REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pairings_of_sender ON pairings (channel, account, sender);

-- Telegram's offset, Discord's last seen id: how far a platform's stream was taken in.
CREATE TABLE cursors (
    channel    TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (channel, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      BLOB    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    user_id BLOB,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT
) STRICT, WITHOUT ROWID;
