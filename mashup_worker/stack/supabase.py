"""Database with the roles and functions of Supabase."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString
from urllib.parse import urlsplit

from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKER = "mashup_worker"
"""Role of worker and mirror; migrations grant its rights."""

API = "mashup_api"
"""Role of the HTTP API, which takes the role of each caller; migrations grant its rights."""

_ROLES = {"anon": "NOLOGIN", "authenticated": "NOLOGIN", "service_role": "NOLOGIN BYPASSRLS"}

_OWN_ROLES: dict[str, LiteralString] = {WORKER: "", API: "NOINHERIT"}

_LOCK = 0x726F6C65
"""Key of an advisory lock, since databases created in parallel share the server's roles."""

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


def create_database(server_url: str, name: str, passwords: Mapping[str, str]) -> str:
    """Create a database with the roles of Supabase, `auth.uid()` and our roles, if missing.

    Args:
        server_url: URL of a database of the server, as the owner.
        name: name of the new database.
        passwords: new passwords of the roles `WORKER` and `API`.

    Returns:
        The URL of the database, as its owner, like `server_url`.

    Raises:
        ServiceUnavailable: the server is unreachable or refuses a statement.
    """
    import psycopg
    from psycopg import sql

    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    try:
        with psycopg.connect(server_url, autocommit=True) as owner:
            owner.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            query = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
            existing = {row[0] for row in owner.execute(query, [[*_ROLES, *_OWN_ROLES]])}
            for role in _ROLES.keys() - existing:
                owner.execute(f"CREATE ROLE {role} {_ROLES[role]}")
            for role, options in _OWN_ROLES.items():
                owner.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOBYPASSRLS {}").format(
                        sql.SQL("ALTER" if role in existing else "CREATE"),
                        sql.Identifier(role),
                        sql.Literal(passwords[role]),
                        sql.SQL(options),
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
