"""What Supabase has in its Postgres and a bare one lacks."""

from __future__ import annotations

from urllib.parse import urlsplit

from mashup_worker.errors import ServiceUnavailable

WORKER = "mashup_worker"
"""The role of worker and mirror; migrations grant it what it needs."""

_ROLES = {"anon": "NOLOGIN", "authenticated": "NOLOGIN", "service_role": "NOLOGIN BYPASSRLS"}

_LOCK = 0x726F6C65
"""Roles belong to the whole server, so that two databases made at once would collide."""

_SUPABASE = """
CREATE SCHEMA IF NOT EXISTS auth;
DO $do$
BEGIN
  IF to_regprocedure('auth.uid()') IS NULL THEN
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $uid$
      SELECT nullif(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', ''
      )::uuid
    $uid$;
  END IF;
END $do$;
GRANT USAGE ON SCHEMA auth, public TO anon, authenticated, service_role, mashup_worker;
GRANT EXECUTE ON FUNCTION auth.uid() TO anon, authenticated, service_role, mashup_worker;
"""


def make_database(server_url: str, name: str, worker_password: str) -> str:
    """Make a database like Supabase's where it is missing: roles, `auth.uid()`, and ours.

    Args:
        server_url: any database of the server, as its owner.
        name: of the database.
        worker_password: the worker's role logs in with it from now on.

    Returns:
        The database's URL, as its owner.

    Raises:
        ServiceUnavailable: the server can't be reached, or refuses.
    """
    import psycopg
    from psycopg import sql

    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    try:
        with psycopg.connect(server_url, autocommit=True) as owner:
            owner.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            query = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
            there = {row[0] for row in owner.execute(query, [[*_ROLES, WORKER]])}
            for role in _ROLES.keys() - there:
                owner.execute(f"CREATE ROLE {role} {_ROLES[role]}")
            owner.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOBYPASSRLS").format(
                    sql.SQL("ALTER" if WORKER in there else "CREATE"),
                    sql.Identifier(WORKER),
                    sql.Literal(worker_password),
                )
            )
            found = owner.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with psycopg.connect(url) as database:
            database.execute(_SUPABASE)
    except psycopg.Error as error:
        raise ServiceUnavailable(f"postgres: {str(error).strip()}") from error
    return url
