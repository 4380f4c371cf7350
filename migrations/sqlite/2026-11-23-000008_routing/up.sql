-- Rules of people's own that say which models answer, in the order in which they are looked at.

CREATE TABLE routing_rules (
    id         BLOB    NOT NULL PRIMARY KEY,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    -- Among those of the person: 1 is the first.
    position   INTEGER NOT NULL,
    rule       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX routing_rules_in_order ON routing_rules (user_id, position);
