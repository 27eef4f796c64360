-- name: valid
SELECT * FROM mashup_worker.valid_token(%(sha256)s);

-- name: create
INSERT INTO mashup_worker.api_tokens (name, sha256, scopes, user_id, expires_at)
VALUES (
  %(name)s, %(sha256)s, %(scopes)s, %(user_id)s,
  clock_timestamp() + make_interval(secs => %(lifetime_s)s)
)
ON CONFLICT (sha256) DO UPDATE SET name = excluded.name
RETURNING id, name, scopes, user_id, created_at, expires_at, revoked_at;

-- name: all
SELECT id, name, scopes, user_id, created_at, expires_at, revoked_at
FROM mashup_worker.api_tokens ORDER BY created_at, id;

-- name: revoke
UPDATE mashup_worker.api_tokens SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE id = %(id)s
RETURNING id, name, scopes, user_id, created_at, expires_at, revoked_at;
