"""Restarts of the API and of its servers while clients create jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import psycopg
import pytest

from tests.integration.api.live import LiveDatabase, client_of, live_database
from tests.integration.api.process import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.stack.info import StackInfo
    from tests.integration.api.process import ApiProcess

LOCK = 4_711
"""Advisory lock for which the trigger of a test waits."""

WAIT_AT = """
CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(%s);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_for_test AFTER INSERT ON ai_jobs DEFERRABLE INITIALLY {when}
  FOR EACH ROW EXECUTE FUNCTION wait_for_test();
"""


@contextmanager
def held(database: LiveDatabase, when: str) -> Iterator[None]:
    """Let inserts of jobs wait until the end of the block, at once or in their COMMIT."""
    with database.owner() as owner:
        owner.execute((WAIT_AT.format(when=when) % LOCK).encode())
        owner.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield
        owner.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def create(api: ApiProcess, user: UUID) -> httpx2.Response:
    with client_of(api, user) as client:
        return client.post(
            "/api/audio/separate",
            json={"audio": "public/a.mp3"},
            headers={"Idempotency-Key": "monday"},
        )


def waiting(database: LiveDatabase) -> int:
    with database.owner() as owner:
        row = owner.execute(
            "SELECT count(*) AS locks FROM pg_locks WHERE NOT granted AND objid = %s", [LOCK]
        ).fetchone()
    assert row is not None
    return int(row["locks"])


@pytest.mark.parametrize(("when", "survives"), [("IMMEDIATE", False), ("DEFERRED", True)])
def test_a_job_exists_once_after_a_killed_create(
    services: StackInfo, tmp_path: Path, when: str, survives: bool
) -> None:
    """The API is killed in the INSERT, which is rolled back, or in the COMMIT, which ends."""
    database = live_database(services)
    user = database.new_user("free")
    with ThreadPoolExecutor(1) as threads, held(database, when):
        with database.api(tmp_path) as api:
            sent = threads.submit(create, api, user)
            until(lambda: waiting(database) == 1)
            api.process.kill()
            api.process.wait()
        with pytest.raises(httpx2.TransportError):
            sent.result()
    until(lambda: waiting(database) == 0)
    with database.owner() as owner:
        until(lambda: len(owner.execute("SELECT id FROM ai_jobs").fetchall()) == survives)
        with database.api(tmp_path) as api:
            first, second = create(api, user), create(api, user)
        assert (first.status_code, first.json()) == (202, second.json())
        (row,) = owner.execute("SELECT id FROM ai_jobs").fetchall()
    assert first.json()["jobId"] == str(row["id"])


def test_clients_repeat_requests_until_postgres_is_back(
    services: StackInfo, tmp_path: Path
) -> None:
    database = live_database(services)
    user = database.new_user("free")
    with database.api(tmp_path) as api, psycopg.connect(database.url, autocommit=True) as owner:
        assert create(api, user).status_code == 202
        # Terminated connections and refused ones are what a restart of the server looks like.
        name = owner.info.dbname
        refuse = psycopg.connect(services.database_url, autocommit=True)
        with refuse:
            refuse.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            refuse.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND usename <> 'postgres'",
                [name],
            )
            away = create(api, user)
            assert away.status_code == 503
            assert away.json()["code"] == "service_unavailable"
            assert int(away.headers["Retry-After"]) > 0
            refuse.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        answers: list[httpx2.Response] = []

        def is_back() -> bool:
            answers.append(create(api, user))
            return answers[-1].status_code == 202

        until(is_back)
        assert {answer.status_code for answer in answers} <= {202, 503}
        row = owner.execute("SELECT count(*) FROM ai_jobs").fetchone()
    assert row == (1,)
