-- The tables of SQLite's migration of this number, in the types of PostgreSQL. Hashes are SHA-256. Text that lists are
-- ordered by is compared byte by byte (COLLATE "C"), so that order and cursors are the same everywhere.

CREATE TABLE users (
    id         uuid NOT NULL PRIMARY KEY,
    name       text NOT NULL,
    role       text NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    created_at timestamptz NOT NULL
);

CREATE TABLE tokens (
    id         uuid NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    name       text NOT NULL,
    role       text NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    hash       bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE sessions (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    channel    text NOT NULL,
    agent      text NOT NULL,
    title      text NOT NULL,
    state      text NOT NULL CHECK (state IN ('idle', 'running', 'queued', 'down')),
    -- How often the session was taken into memory: a writer with an older one is refused.
    epoch      bigint NOT NULL,
    -- The newest number given to an event.
    last_seq   bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX sessions_by_change ON sessions (updated_at, id);
CREATE INDEX sessions_of_user ON sessions (user_id, updated_at, id);

CREATE TABLE turns (
    id           uuid NOT NULL PRIMARY KEY,
    session_id   text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    state        text NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
    agent        text NOT NULL,
    -- Asked for by its input, in place of the agent's own models.
    model        text,
    attempt      bigint NOT NULL,
    charged      bigint NOT NULL,
    -- Seq of `turn.accepted` and of the user's message.
    accepted_seq bigint NOT NULL,
    -- Seq of the end and of the assistant's message; null while the turn is open.
    end_seq      bigint,
    body_hash    bytea NOT NULL,
    accepted_at  timestamptz NOT NULL,
    started_at   timestamptz,
    ended_at     timestamptz,
    CHECK ((end_seq IS NULL) = (state IN ('queued', 'running')))
);

CREATE UNIQUE INDEX turns_in_order ON turns (session_id, accepted_seq);
CREATE INDEX turns_open ON turns (session_id, accepted_seq) WHERE end_seq IS NULL;
-- At most one turn of a session runs, whatever its writer believes.
CREATE UNIQUE INDEX turns_running ON turns (session_id) WHERE state = 'running';

CREATE TABLE events (
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    turn_id    uuid,
    body       jsonb NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (session_id, seq)
);

CREATE TABLE messages (
    session_id text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    turn_id    uuid NOT NULL,
    role       text NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
    agent      text,
    text       text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, seq)
);

CREATE TABLE inbox (
    channel      text NOT NULL,
    account      text NOT NULL,
    conversation text NOT NULL,
    -- The platform's event id, or the client's idempotency key.
    event        text NOT NULL,
    turn_id      uuid NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    PRIMARY KEY (channel, account, conversation, event)
);

-- Turn ids sort by time: this index grows at its end only, and finds what is old.
CREATE INDEX inbox_of_turn ON inbox (turn_id);

CREATE TABLE outbox (
    id           uuid NOT NULL PRIMARY KEY,
    session_id   text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id      uuid NOT NULL,
    channel      text NOT NULL,
    account      text NOT NULL,
    conversation text NOT NULL,
    body         jsonb NOT NULL,
    nonce        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
    attempt      bigint NOT NULL,
    -- The platform's id of the message or of its streaming preview.
    platform_id  text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

CREATE INDEX outbox_due ON outbox (channel, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_of_session ON outbox (session_id);

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

-- The ledger: what was spent stays spent, so it outlives its session.
CREATE TABLE usage (
    turn_id       uuid NOT NULL PRIMARY KEY,
    session_id    text COLLATE "C" NOT NULL,
    user_id       uuid NOT NULL,
    agent         text COLLATE "C" NOT NULL,
    provider      text COLLATE "C" NOT NULL,
    model         text COLLATE "C" NOT NULL,
    input_tokens  bigint NOT NULL,
    output_tokens bigint NOT NULL,
    -- Null where the model has no price.
    cost_usd      double precision,
    at            timestamptz NOT NULL
);

CREATE TABLE bindings (
    channel      text NOT NULL,
    account      text NOT NULL,
    conversation text NOT NULL,
    session_id   text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- 1: answers to inputs from elsewhere are shown here too.
    mirror       bigint NOT NULL CHECK (mirror IN (0, 1)),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (channel, account, conversation)
);

CREATE INDEX bindings_of_session ON bindings (session_id);

CREATE TABLE pairings (
    code_hash  bytea NOT NULL PRIMARY KEY,
    channel    text NOT NULL,
    account    text NOT NULL,
    -- The stranger, as the platform names them.
    sender     text NOT NULL,
    -- Who they turned out to be; null until paired.
    user_id    uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX pairings_of_sender ON pairings (channel, account, sender);

-- Telegram's offset, Discord's last seen id: how far a platform's stream was taken in.
CREATE TABLE cursors (
    channel    text NOT NULL,
    scope      text NOT NULL,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (channel, scope)
);

CREATE TABLE audit (
    id      uuid NOT NULL PRIMARY KEY,
    at      timestamptz NOT NULL,
    user_id uuid,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  jsonb
);
