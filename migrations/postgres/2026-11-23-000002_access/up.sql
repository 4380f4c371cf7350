-- Tokens that end by themselves, browsers that are signed in, and the links that sign one in.

ALTER TABLE tokens ADD COLUMN expires_at timestamptz;

CREATE TABLE browsers (
    -- SHA-256 of the cookie.
    hash       bytea NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    role       text NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    -- The token it was signed in with, and ends with; null after a link or the home's own token.
    token_id   uuid REFERENCES tokens (id),
    created_at timestamptz NOT NULL,
    -- When it was last used, to the hour.
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX browsers_of_token ON browsers (token_id);

CREATE TABLE links (
    -- SHA-256 of the code.
    hash       bytea NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    role       text NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz
);
