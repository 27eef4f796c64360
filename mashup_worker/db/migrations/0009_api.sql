-- Role of the HTTP API, and its service tokens. The API logs in as this role, which has no rights of
-- its own on jobs: in each transaction it takes the role of its caller.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'mashup_api') THEN
    CREATE ROLE mashup_api NOLOGIN NOINHERIT;
  END IF;
END $$;
GRANT authenticated, service_role TO mashup_api;
GRANT USAGE ON SCHEMA mashup_worker TO mashup_api;

-- Tokens of backends and operators. Only their digests are stored.
CREATE TABLE IF NOT EXISTS mashup_worker.api_tokens (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  name TEXT NOT NULL,
  sha256 BYTEA NOT NULL UNIQUE,
  scopes TEXT[] NOT NULL,
  user_id UUID,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ
);
COMMENT ON COLUMN mashup_worker.api_tokens.user_id IS
  'User for whom the token acts; null for a token that acts for the service.';

-- Returns the valid token with a digest.
CREATE OR REPLACE FUNCTION mashup_worker.valid_token(digest BYTEA)
RETURNS TABLE (id UUID, name TEXT, scopes TEXT[], user_id UUID, expires_at TIMESTAMPTZ)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT t.id, t.name, t.scopes, t.user_id, t.expires_at
  FROM mashup_worker.api_tokens AS t
  WHERE t.sha256 = digest AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > pg_catalog.clock_timestamp());
$$;
REVOKE ALL ON FUNCTION mashup_worker.valid_token FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.valid_token TO mashup_api;

-- Users may name the job that a new one repeats, if it is their own.
GRANT INSERT (retry_of) ON public.ai_jobs TO authenticated;

CREATE OR REPLACE FUNCTION mashup_worker.guard_new_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF pg_catalog.octet_length(NEW.input_data::text) > 262144 THEN
    RAISE EXCEPTION 'input_data is larger than 256 KiB' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.retry_of IS NOT NULL AND NOT EXISTS (
    SELECT FROM public.ai_jobs AS earlier
    WHERE earlier.id = NEW.retry_of AND earlier.user_id IS NOT DISTINCT FROM NEW.user_id
  ) THEN
    RAISE EXCEPTION 'retry_of: job not found' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
