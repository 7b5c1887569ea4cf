-- name: answer(user_id, key)^
SELECT request_hash, answer FROM idempotency WHERE user_id = :user_id AND key = :key;

-- name: keep(user_id, key, request_hash, answer)!
INSERT INTO idempotency (user_id, key, request_hash, answer) VALUES (:user_id, :key, :request_hash, :answer);

-- name: lock(user_id, key)!
-- Two calls with the same key go one after the other.
SELECT pg_advisory_xact_lock(hashtextextended(:key, :user_id));

-- name: drop_old(days)$
WITH gone AS (DELETE FROM idempotency WHERE created_at < now() - make_interval(days => :days) RETURNING 1) SELECT count(*) FROM gone;
