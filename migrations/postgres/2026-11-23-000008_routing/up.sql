-- Rules of people's own that say which models answer, in the order in which they are looked at.

CREATE TABLE routing_rules (
    id         uuid NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    -- Among those of the person: 1 is the first.
    position   bigint NOT NULL,
    rule       jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX routing_rules_in_order ON routing_rules (user_id, position);
