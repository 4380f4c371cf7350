-- What is on its way to platforms is lost.
ALTER TABLE inbox DROP COLUMN reply_to;
DROP TABLE previews;
DROP TABLE outbox;

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
