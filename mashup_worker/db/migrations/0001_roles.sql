-- Roles and functions that Supabase provides, where they are missing, and the role of worker and
-- mirror.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['anon', 'authenticated', 'service_role', 'mashup_worker'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END $$;

CREATE SCHEMA IF NOT EXISTS mashup_worker;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role, mashup_worker;
GRANT USAGE ON SCHEMA mashup_worker TO mashup_worker;

DO $$
BEGIN
  IF pg_catalog.to_regprocedure('auth.uid()') IS NULL THEN
    CREATE SCHEMA IF NOT EXISTS auth;
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $uid$
      SELECT nullif(
        nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', ''
      )::uuid
    $uid$;
    GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role, mashup_worker;
  END IF;
END $$;
