-- Answers on their way to platforms. Nothing wrote to the table before.

DROP TABLE outbox;

CREATE TABLE outbox (
    -- Never given again. Within a conversation, items go out in this order.
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id   text COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn_id      uuid NOT NULL,
    channel      text NOT NULL,
    account      text NOT NULL,
    conversation text NOT NULL,
    -- The platform's id of the message that is answered.
    reply_to     text,
    body         jsonb NOT NULL,
    -- The platform's ids: of the streaming preview, and of the newest part that was delivered.
    preview      text,
    platform_id  text,
    -- The part that is next, and how many bytes of the text those before it showed.
    part         bigint NOT NULL,
    shown        bigint NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
    -- How often this part was taken up, and the process that did so last.
    attempt      bigint NOT NULL,
    holder       uuid,
    -- Set on the first open item of a conversation, and only there: the others wait behind it.
    due_at       timestamptz,
    -- Why it is unknown or dead.
    why          text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

CREATE UNIQUE INDEX outbox_first ON outbox (channel, account, conversation) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_due ON outbox (channel, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_open ON outbox (channel, account, conversation, id) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_closed ON outbox (state, updated_at) WHERE state IN ('sent', 'unknown', 'dead');
CREATE INDEX outbox_of_session ON outbox (session_id);
CREATE INDEX outbox_of_turn ON outbox (turn_id);

-- The message that a turn is streamed into; its end takes it over.
CREATE TABLE previews (
    turn_id      uuid NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    channel      text NOT NULL,
    account      text NOT NULL,
    conversation text NOT NULL,
    platform_id  text NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (turn_id, channel, account, conversation)
);

-- The platform's id of the message, where an answer may refer to it.
ALTER TABLE inbox ADD COLUMN reply_to text;
