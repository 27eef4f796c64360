-- name: create_code
INSERT INTO mashup_worker.login_codes (sha256, user_id, scopes, expires_at)
VALUES (
  %(sha256)s, %(user_id)s, %(scopes)s, clock_timestamp() + make_interval(secs => %(lifetime_s)s)
)
RETURNING expires_at;

-- name: use_code
SELECT * FROM mashup_worker.use_login_code(%(sha256)s);

-- name: start
SELECT mashup_worker.start_session(
  %(sha256)s, %(user_id)s, %(scopes)s, %(claims)s, %(token_id)s, %(expires_at)s
);

-- name: valid
SELECT * FROM mashup_worker.valid_session(%(sha256)s);

-- name: end
SELECT mashup_worker.end_session(%(sha256)s);
