"""Checks of the schema and of services; messages are one line without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from mashup_worker.db.database import Database
from mashup_worker.db.migrate import migrate, migrations
from mashup_worker.db.schema_check import schema_problems
from mashup_worker.doctor import services as checks
from mashup_worker.settings import Settings

if TYPE_CHECKING:
    from mashup_worker.stack.info import StackInfo


def change(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def problems_of(url: str) -> list[str]:
    with Database(url) as database:
        return schema_problems(database)


def test_a_migrated_schema_has_no_problems(migrated_url: str, worker_database_url: str) -> None:
    assert problems_of(migrated_url) == []
    assert problems_of(worker_database_url) == []
    assert migrate(migrated_url) == []


def test_missing_migrations_are_named(database_url: str) -> None:
    assert all(
        ": missing; run `mashup migrate`" in problem for problem in problems_of(database_url)
    )
    assert len(problems_of(database_url)) == len(migrations())


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DROP POLICY ai_jobs_worker ON public.ai_jobs", "row-level security"),
        ("ALTER TABLE public.stems RENAME COLUMN kind TO instrument", "publishing stems"),
        ("ALTER TABLE public.stem_usage_log DROP COLUMN job_id", "publishing a mashup"),
        ("DROP FUNCTION mashup_worker.readable_stem", "stems of the registry"),
        ("ALTER TABLE public.stems ADD COLUMN genre TEXT NOT NULL", "stems.genre: needs a value"),
        ("ALTER TABLE public.stems RENAME COLUMN is_public TO shown", "and mashups of callers"),
        ("ALTER TABLE public.mashups DROP COLUMN title CASCADE", "saving a mashup"),
        ("ALTER TABLE public.mashups ADD COLUMN mood TEXT NOT NULL", "function public.save_mashup"),
        ("DROP FUNCTION mashup_worker.stem_facts", "facts of stems"),
        ("DROP FUNCTION mashup_worker.correction_of_stem", "corrections of songs"),
        ("REVOKE ALL ON mashup_worker.song_corrections FROM mashup_worker", "of songs: permission"),
        ("ALTER TABLE public.stems DROP COLUMN tempo_bpm CASCADE", "correcting a song"),
        ("DROP FUNCTION mashup_worker.mashup_results", "results of mashups"),
        ("DROP FUNCTION mashup_worker.mashup_creators", "creators of mashups"),
        ("DROP FUNCTION mashup_worker.word_query", "words of stems"),
        ("DROP FUNCTION mashup_worker.period_end", "tiers"),
        ("REVOKE UPDATE ON public.ai_jobs FROM mashup_worker", "permission denied"),
        ("ALTER TABLE public.ai_jobs ADD CHECK (job_type = 'dance') NOT VALID", "check constraint"),
        ("ALTER TABLE public.ai_jobs ADD CHECK (status <> 'canceled')", "check constraint"),
        ("DROP TRIGGER ai_jobs_webhooks ON public.ai_jobs", "0012_webhooks"),
        ("DROP TRIGGER ai_jobs_models ON public.ai_jobs", "0018_licenses"),
        ("REVOKE DELETE ON mashup_worker.webhooks FROM mashup_worker", "webhooks: permission"),
    ],
)
def test_each_problem_of_a_schema_is_named(
    migrated_url: str, worker_database_url: str, statement: str, named: str
) -> None:
    change(migrated_url, statement)
    found = problems_of(worker_database_url)
    assert any(named in problem for problem in found), found
    assert all("\n" not in problem for problem in found)


def test_a_check_leaves_no_rows(migrated_url: str) -> None:
    problems_of(migrated_url)
    with psycopg.connect(migrated_url) as connection:
        assert connection.execute("SELECT count(*) FROM public.ai_jobs").fetchone() == (0,)


def test_an_existing_backend_keeps_its_tables(database_url: str) -> None:
    """The backend's production table with rows and an additional column."""
    change(
        database_url,
        """
        CREATE TABLE public.profiles (id UUID PRIMARY KEY, nickname TEXT NOT NULL);
        CREATE TABLE public.ai_jobs (
          id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
          user_id UUID REFERENCES public.profiles (id),
          job_type TEXT NOT NULL, status TEXT DEFAULT 'queued', progress INTEGER DEFAULT 0,
          input_data JSONB NOT NULL, output_data JSONB, error_message TEXT,
          created_at TIMESTAMPTZ DEFAULT now(), completed_at TIMESTAMPTZ, note TEXT
        );
        INSERT INTO public.ai_jobs (job_type, status, input_data) VALUES
          ('separate', 'completed', '{}'), ('separate', 'queued', '{"audio": "x"}');
        """,
    )
    migrate(database_url)
    assert problems_of(database_url) == []
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT status, attempt, max_attempts FROM public.ai_jobs ORDER BY status"
        ).fetchall()
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = 'profiles'"
        ).fetchall()
    assert rows == [("completed", 0, 3), ("queued", 0, 3)]
    assert {name for (name,) in columns} == {"id", "nickname"}


def test_the_doctor_checks_services(
    monkeypatch: pytest.MonkeyPatch, migrated_url: str, redis_url: str, services: StackInfo
) -> None:
    for name, value in services.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    every = (checks.check_database, checks.check_redis, checks.check_storage)
    assert [check(Settings()).severity for check in every] == ["ok"] * 3

    for name, url in (("DATABASE_URL", migrated_url), ("REDIS_URL", redis_url)):
        password = urlsplit(url).password or ""
        monkeypatch.setenv(name, url.replace(password, "wrong-secret"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    for check in every:
        finding = check(Settings())
        assert finding.severity == "error"
        assert "\n" not in finding.message
        assert "wrong-secret" not in finding.message

    for name in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET"):
        monkeypatch.delenv(name)
    assert [check(Settings()).severity for check in every] == ["note"] * 3


def test_functions_that_do_not_fit_the_backend_are_named_and_can_be_replaced(
    database_url: str,
) -> None:
    """The replaced function fits without changes to tables."""
    change(
        database_url,
        """
        CREATE TABLE public.profiles (id UUID PRIMARY KEY);
        CREATE TABLE public.subscriptions (profile UUID, plan TEXT);
        CREATE TABLE public.mashups (id UUID PRIMARY KEY, owner UUID);
        CREATE TABLE public.stems (id UUID PRIMARY KEY, path TEXT);
        """,
    )
    migrate(database_url)
    text = "\n".join(problems_of(database_url))
    for name in ("tiers", "publishing stems", "ownership of mashups", "stems of the registry"):
        assert f"{name}: column " in text
    for name in ("and mashups of callers", "words of stems", "facts of stems", "saving a mashup"):
        assert f"{name}: column " in text
    change(
        database_url,
        """
        CREATE OR REPLACE FUNCTION mashup_worker.user_tiers(users UUID[])
        RETURNS TABLE (user_id UUID, tier TEXT, priority INTEGER)
        LANGUAGE sql STABLE SECURITY DEFINER AS $$
          SELECT u.id, t.tier, t.priority FROM unnest(users) AS u (id)
          LEFT JOIN public.subscriptions AS s ON s.profile = u.id
          JOIN mashup_worker.tiers AS t ON t.tier = coalesce(s.plan, 'free')
        $$;
        """,
    )
    assert not [problem for problem in problems_of(database_url) if problem.startswith("tiers")]


def test_workers_do_not_need_the_tables_of_the_api(migrated_url: str) -> None:
    change(migrated_url, "ALTER TABLE public.mashups DROP COLUMN title")
    with Database(migrated_url) as database:
        assert schema_problems(database, api=False) == []
        assert schema_problems(database) != []


def test_the_schema_of_a_later_version_has_no_problems(migrated_url: str) -> None:
    """Old and new workers run side by side during an upgrade."""
    change(
        migrated_url,
        """
        ALTER TABLE public.ai_jobs ADD COLUMN mood TEXT NOT NULL DEFAULT 'good';
        INSERT INTO mashup_worker.migrations (name, sha256) VALUES ('9999_later', 'x');
        """,
    )
    assert problems_of(migrated_url) == []
