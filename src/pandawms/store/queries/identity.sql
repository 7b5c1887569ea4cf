-- name: ensure_community(name)$
-- The id of the community of this name, made when missing.
WITH made AS (INSERT INTO community (name) VALUES (:name) ON CONFLICT DO NOTHING RETURNING community_id)
SELECT community_id FROM made UNION ALL SELECT community_id FROM community WHERE name = :name LIMIT 1;

-- name: community_by_name(name)$
SELECT community_id FROM community WHERE name = :name;

-- name: ensure_user(issuer, subject, name)$
-- The id of a person, made at first sight.
WITH made AS (
    INSERT INTO user_account (issuer, subject, name) VALUES (:issuer, :subject, :name) ON CONFLICT (issuer, subject) DO NOTHING RETURNING user_id
)
SELECT user_id FROM made UNION ALL SELECT user_id FROM user_account WHERE issuer = :issuer AND subject = :subject LIMIT 1;

-- name: ensure_membership(user_id, community_id, role)!
INSERT INTO membership (user_id, community_id, role) VALUES (:user_id, :community_id, :role) ON CONFLICT DO NOTHING;

-- name: user_by_name(name)^
SELECT user_id, name, disabled_at FROM user_account WHERE name = :name;

-- name: add_token(token_id, hash, user_id, label, scopes, queue_id, expires_at)!
INSERT INTO token (token_id, hash, user_id, label, scopes, queue_id, expires_at)
VALUES (:token_id, :hash, :user_id, :label, :scopes, :queue_id, :expires_at);

-- name: revoke_token(token_id)$
UPDATE token SET revoked_at = coalesce(revoked_at, now()) WHERE token_id = :token_id RETURNING token_id;

-- name: tokens(user_id)
SELECT t.token_id, t.label, t.scopes, q.name AS queue, t.created_at, t.expires_at, t.revoked_at
FROM token t LEFT JOIN queue q USING (queue_id)
WHERE t.user_id = :user_id ORDER BY t.created_at DESC LIMIT 200;

-- name: bearers(hashes)
-- The people behind those of the tokens that are neither revoked nor expired, with all that a policy asks about.
SELECT t.hash, u.user_id, u.name, t.scopes, t.queue_id, q.name AS queue, t.expires_at,
    coalesce((SELECT array_agg(DISTINCT c.name) FROM membership m JOIN community c USING (community_id) WHERE m.user_id = u.user_id), '{}') AS communities,
    coalesce((SELECT array_agg(DISTINCT g.name) FROM membership m JOIN user_group g USING (group_id) WHERE m.user_id = u.user_id), '{}') AS groups,
    coalesce((SELECT array_agg(DISTINCT m.role) FROM membership m WHERE m.user_id = u.user_id), '{}') AS roles
FROM token t JOIN user_account u USING (user_id) LEFT JOIN queue q USING (queue_id)
WHERE t.hash = ANY (:hashes::bytea[]) AND t.revoked_at IS NULL AND t.expires_at > now() AND u.disabled_at IS NULL;

-- name: token_owner(token_id)$
SELECT user_id FROM token WHERE token_id = :token_id;
