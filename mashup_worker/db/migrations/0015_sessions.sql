-- Sessions of browsers, and the one-time codes of login links that start them. Only digests of their
-- secrets are stored, and the rows of both are deleted when they are used up.
CREATE TABLE IF NOT EXISTS mashup_worker.login_codes (
  sha256 BYTEA PRIMARY KEY,
  user_id UUID,
  scopes TEXT[] NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL
);
COMMENT ON COLUMN mashup_worker.login_codes.user_id IS 'User who logs in; null for the service.';

CREATE TABLE IF NOT EXISTS mashup_worker.sessions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  sha256 BYTEA NOT NULL UNIQUE,
  user_id UUID,
  scopes TEXT[] NOT NULL,
  claims JSONB NOT NULL,
  token_id UUID REFERENCES mashup_worker.api_tokens (id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL
);
COMMENT ON COLUMN mashup_worker.sessions.claims IS 'Claims for row-level security.';
COMMENT ON COLUMN mashup_worker.sessions.token_id IS
  'Service token that started the session, which ends with it.';

-- Deletes a valid code and returns its user, so a code is used once.
CREATE OR REPLACE FUNCTION mashup_worker.use_login_code(digest BYTEA)
RETURNS TABLE (user_id UUID, scopes TEXT[])
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  DELETE FROM mashup_worker.login_codes AS c
  WHERE c.sha256 = digest AND c.expires_at > pg_catalog.clock_timestamp()
  RETURNING c.user_id, c.scopes;
$$;

-- Starts a session, and deletes codes and sessions that have expired.
CREATE OR REPLACE FUNCTION mashup_worker.start_session(
  digest BYTEA, session_user_id UUID, session_scopes TEXT[], session_claims JSONB, token UUID,
  ends_at TIMESTAMPTZ
)
RETURNS VOID LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  DELETE FROM mashup_worker.login_codes AS c WHERE c.expires_at < pg_catalog.clock_timestamp();
  DELETE FROM mashup_worker.sessions AS s WHERE s.expires_at < pg_catalog.clock_timestamp();
  INSERT INTO mashup_worker.sessions (sha256, user_id, scopes, claims, token_id, expires_at)
  VALUES (digest, session_user_id, session_scopes, session_claims, token, ends_at);
$$;

-- Returns the valid session with a digest.
CREATE OR REPLACE FUNCTION mashup_worker.valid_session(digest BYTEA)
RETURNS TABLE (id UUID, user_id UUID, scopes TEXT[], claims JSONB, expires_at TIMESTAMPTZ)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT s.id, s.user_id, s.scopes, s.claims, s.expires_at
  FROM mashup_worker.sessions AS s
  LEFT JOIN mashup_worker.api_tokens AS t ON t.id = s.token_id
  WHERE s.sha256 = digest AND s.expires_at > pg_catalog.clock_timestamp()
    AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > pg_catalog.clock_timestamp());
$$;

CREATE OR REPLACE FUNCTION mashup_worker.end_session(digest BYTEA)
RETURNS VOID LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  DELETE FROM mashup_worker.sessions AS s WHERE s.sha256 = digest;
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.use_login_code, mashup_worker.start_session, mashup_worker.valid_session,
  mashup_worker.end_session
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
  mashup_worker.use_login_code, mashup_worker.start_session, mashup_worker.valid_session,
  mashup_worker.end_session
  TO mashup_api;
