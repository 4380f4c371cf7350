DROP INDEX sessions_of_platforms;
DROP INDEX users_by_name;
