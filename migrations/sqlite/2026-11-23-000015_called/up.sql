-- 1: the platform of an item that is being sent was about to be called; what is 0 it has not heard of.
ALTER TABLE outbox ADD COLUMN called INTEGER NOT NULL DEFAULT 0;
