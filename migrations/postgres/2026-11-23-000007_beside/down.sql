DROP INDEX usage_beside;
DELETE FROM usage WHERE turns = 0;
ALTER TABLE usage DROP COLUMN estimated;
ALTER TABLE usage DROP COLUMN of_turn;
ALTER TABLE usage DROP COLUMN calls;
ALTER TABLE usage DROP COLUMN turns;
