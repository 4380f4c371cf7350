-- Tokens that end by themselves, browsers that are signed in, and the links that sign one in.

ALTER TABLE tokens ADD COLUMN expires_at INTEGER;

CREATE TABLE browsers (
    -- SHA-256 of the cookie.
    hash       BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    -- The token it was signed in with, and ends with; null after a link or the home's own token.
    token_id   BLOB    REFERENCES tokens (id),
    created_at INTEGER NOT NULL,
    -- When it was last used, to the hour.
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX browsers_of_token ON browsers (token_id);

CREATE TABLE links (
    -- SHA-256 of the code.
    hash       BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'member', 'owner')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at   INTEGER
) STRICT, WITHOUT ROWID;
