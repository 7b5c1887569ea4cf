-- name: engines()$
-- How many engine processes are connected.
SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE application_name = 'panda-engine' AND datname = current_database();

-- name: schema_version()$
SELECT max(number) FROM migration;
