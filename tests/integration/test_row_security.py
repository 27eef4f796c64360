"""Rights of users, and of clients without an account, in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from mashup_worker.db import jobs
from mashup_worker.db.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Setup:
    """Database with a job, a mashup and a private stem of a victim, and another user."""

    url: str
    victim: UUID
    other: UUID
    job: UUID
    own_job: UUID
    mashup: UUID
    stem: UUID

    def execute(self, role: str, statement: str) -> int:
        """Execute a statement as the other user; return the number of rows."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            claims = json.dumps({"sub": str(self.other), "role": role})
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            connection.execute(f"SET LOCAL ROLE {role}")
            return connection.execute(statement.format(**vars(self))).rowcount


SUPABASE_DEFAULTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
"""


@pytest.fixture(params=["bare", "supabase"])
def there(database_url: str, request: pytest.FixtureRequest) -> Iterator[Setup]:
    """Includes Supabase's default privileges, which grant everything to all roles."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as owner:
        if request.param == "supabase":
            owner.execute(SUPABASE_DEFAULTS)
        migrate(database_url)

        def made(statement: str, *values: Any) -> UUID:
            row = owner.execute(f"{statement} RETURNING id", values).fetchone()
            assert row is not None
            key: UUID = row["id"]
            return key

        victim, other = (made("INSERT INTO profiles DEFAULT VALUES") for _ in range(2))
        job, own_job = (
            jobs.insert(owner, "separate", {}, user_id=user).id for user in (victim, other)
        )
        owner.execute(
            "INSERT INTO mashup_worker.song_corrections VALUES (%s, 2, 0, 'A minor')", [job]
        )
        owner.execute(
            "INSERT INTO mashup_worker.job_models VALUES (%s, 'x', 'MIT', 'permissive')", [job]
        )
        mashup = made("INSERT INTO mashups (user_id, title) VALUES (%s, 'Night')", victim)
        yield Setup(
            database_url,
            victim,
            other,
            job,
            own_job,
            mashup,
            made(
                "INSERT INTO stems (user_id, mashup_id, kind, storage_key)"
                " VALUES (%s, %s, 'vocals', 'k')",
                victim,
                mashup,
            ),
        )


REFUSED = (
    # Jobs of other users, and columns without a grant.
    "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES ('{victim}', 'separate', '{{}}')",
    "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES (NULL, 'separate', '{{}}')",
    "INSERT INTO ai_jobs (job_type, input_data) VALUES ('separate', '{{}}')",
    *(
        f"INSERT INTO ai_jobs (user_id, job_type, input_data, {column})"
        f" VALUES ('{{other}}', 'separate', '{{{{}}}}', {value})"
        for column, value in (
            ("id", "gen_random_uuid()"),
            ("status", "'completed'"),
            ("priority", "9"),
            ("max_attempts", "99"),
            ("attempt", "1"),
            ("failures", "-9"),
            ("run_at", "'2020-01-01'"),
            ("created_at", "'2020-01-01'"),
            ("output_data", "'{{}}'"),
            ("worker_id", "'me'"),
            ("lease_expires_at", "now()"),
            ("result_digest", "'x'"),
            ("device_s", "9"),
            ("source_sha256", "'{{x}}'"),
            ("retry_of", "'{job}'"),
        )
    ),
    *(
        f"UPDATE ai_jobs SET {change} WHERE id = '{{own_job}}'"
        for change in (
            "status = 'completed'",
            "status = 'queued'",
            "priority = 9",
            "max_attempts = 99",
            "user_id = '{victim}'",
            "input_data = '{{}}'",
            "output_data = '{{}}'",
            "created_at = '2020-01-01'",
            "result_digest = 'x'",
        )
    ),
    "DELETE FROM ai_jobs WHERE id = '{own_job}'",
    "TRUNCATE ai_jobs",
    # Tiers.
    "INSERT INTO subscriptions (user_id, tier) VALUES ('{other}', 'studio')",
    "UPDATE subscriptions SET tier = 'studio' WHERE user_id = '{other}'",
    "UPDATE mashup_worker.tiers SET separations_per_day = NULL",
    # Rows of finished jobs.
    "INSERT INTO stems (user_id, kind, storage_key) VALUES ('{other}', 'vocals', 'jobs/x')",
    "UPDATE stems SET is_public = true WHERE id = '{stem}'",
    "INSERT INTO mashup_stems (mashup_id, kind, storage_key) VALUES ('{mashup}', 'vocals', 'k')",
    "UPDATE mashups SET has_stems = true WHERE id = '{mashup}'",
    "INSERT INTO stem_mashup_links (stem_id, mashup_id) VALUES ('{stem}', '{mashup}')",
    "INSERT INTO stem_usage_log (stem_id) VALUES ('{stem}')",
    # Functions for workers and operators.
    "SELECT mashup_worker.publish_stems('{job}')",
    "SELECT mashup_worker.publish_mashup('{job}')",
    "SELECT mashup_worker.owns_mashup('{mashup}', '{victim}')",
    "SELECT mashup_worker.readable_stem('{stem}', NULL)",
    "SELECT mashup_worker.referenced_keys('{{k}}')",
    "SELECT mashup_worker.user_tiers(ARRAY['{victim}'::uuid])",
    "SELECT mashup_worker.over_quota('{job}')",
    "SELECT mashup_worker.likely_over_quota()",
    "SELECT mashup_worker.over_quota_of_new_job('{other}', 'separate')",
    "SELECT mashup_worker.reached_limit(j) FROM ai_jobs AS j",
    "SELECT mashup_worker.jobs_of_song('x')",
    "SELECT mashup_worker.jobs_of_user('{victim}')",
    "SELECT mashup_worker.purge_jobs(ARRAY['{job}'::uuid])",
    "SELECT mashup_worker.may_start('{{separate}}')",
    "SELECT mashup_worker.open_jobs()",
    "SELECT mashup_worker.device_s('{{}}')",
    "SELECT * FROM mashup_worker.paused_queues",
    "INSERT INTO mashup_worker.paused_queues (name, job_types) VALUES ('gpu', '{{separate}}')",
    "DELETE FROM mashup_worker.paused_queues",
    # Functions for the API, which asks as the caller before.
    "SELECT mashup_worker.stem_facts('{stem}')",
    "SELECT mashup_worker.mashup_results(ARRAY['{mashup}'::uuid])",
    "SELECT mashup_worker.mashup_creators('{mashup}')",
    "SELECT mashup_worker.limits_of('{victim}')",
    "SELECT mashup_worker.check_rows()",
    "SELECT * FROM mashup_worker.saved_mashups",
    "SELECT mashup_worker.apply_correction('{job}')",
    "SELECT mashup_worker.correction_of_stem('{stem}')",
    "INSERT INTO mashup_worker.song_corrections VALUES ('{own_job}', 2, 0, NULL)",
    "UPDATE mashup_worker.song_corrections SET tempo_factor = 2",
    "DELETE FROM mashup_worker.song_corrections",
    "SELECT mashup_worker.model_of_stem('{stem}')",
    "INSERT INTO mashup_worker.job_models VALUES ('{own_job}', 'x', 'MIT', 'permissive')",
    "UPDATE mashup_worker.job_models SET license = 'MIT'",
    "DELETE FROM mashup_worker.job_models",
    "INSERT INTO mashup_worker.saved_mashups VALUES ('{own_job}', '{mashup}')",
)

TRACED = (
    "INSERT INTO ai_jobs (user_id, job_type, input_data, traceparent)"
    " VALUES ('{other}', 'separate', '{{}}', 'TRACEPARENT')"
)

INVISIBLE = (
    "SELECT 1 FROM ai_jobs WHERE id = '{job}'",
    "SELECT 1 FROM stems WHERE id = '{stem}'",
    "SELECT 1 FROM mashup_worker.stem_rows()",
    "SELECT 1 FROM mashup_worker.mashup_rows()",
    "SELECT mashup_worker.stems_with_words('night')",
    "SELECT mashup_id FROM save_mashup('{job}', 'x', true)",
    "SELECT 1 FROM mashup_worker.song_corrections",
    "SELECT 1 FROM mashup_worker.job_models",
    "SELECT correct_song('{job}', 2, 0, NULL)",
    "SELECT uncorrect_song('{job}')",
    "SELECT 1 FROM mashups WHERE id = '{mashup}'",
    "SELECT 1 FROM subscriptions WHERE user_id = '{victim}'",
    "SELECT 1 FROM profiles WHERE id = '{victim}'",
    "UPDATE ai_jobs SET cancel_requested_at = now() WHERE id = '{job}'",
)


@pytest.mark.parametrize("role", ["authenticated", "anon"])
def test_forbidden_statements_are_refused(there: Setup, role: str) -> None:
    done = []
    for statement in REFUSED:
        try:
            there.execute(role, statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        done.append(statement)
    assert not done


def test_rows_of_other_users_are_invisible(there: Setup) -> None:
    assert [one for one in INVISIBLE if there.execute("authenticated", one)] == []
    for statement in INVISIBLE:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            there.execute("anon", statement)


def test_users_may_insert_read_and_cancel_their_own_jobs(there: Setup) -> None:
    """Without this, the tests above would pass for a database that refuses everything."""
    for statement in (
        "INSERT INTO ai_jobs (user_id, job_type, input_data, idempotency_key)"
        " VALUES ('{other}', 'separate', '{{}}', 'k')",
        TRACED.replace("TRACEPARENT", f"00-{'a' * 32}-{'b' * 16}-01"),
        "SELECT 1 FROM ai_jobs WHERE id = '{own_job}'",
        "UPDATE ai_jobs SET cancel_requested_at = now() WHERE id = '{own_job}'",
        "SELECT link_stems('{mashup}', '{job}')",
    ):
        assert there.execute("authenticated", statement) == 1


def test_trace_contexts_have_a_fixed_form(there: Setup) -> None:
    for text in (
        "",
        "x" * 10_000,
        f"00-{'A' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'b' * 16}-01\n",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            there.execute("authenticated", TRACED.replace("TRACEPARENT", text))


def test_new_roles_have_no_rights(there: Setup) -> None:
    """All grants name their roles."""
    with psycopg.connect(there.url, autocommit=True, row_factory=dict_row) as owner:
        name = f"unknown_{uuid4().hex[:8]}"
        owner.execute(f"CREATE ROLE {name}")
        try:
            open_functions = owner.execute(
                "SELECT p.oid::regprocedure::text AS name FROM pg_proc AS p"
                " WHERE p.pronamespace IN ('mashup_worker'::regnamespace, 'public'::regnamespace)"
                " AND p.prorettype <> 'trigger'::regtype"
                " AND has_function_privilege(%s, p.oid, 'EXECUTE')",
                [name],
            ).fetchall()
            open_tables = owner.execute(
                "SELECT c.oid::regclass::text AS name FROM pg_class AS c"
                " WHERE c.relnamespace IN ('mashup_worker'::regnamespace, 'public'::regnamespace)"
                " AND c.relkind IN ('r', 'v') AND has_table_privilege(%s, c.oid,"
                " 'SELECT, INSERT, UPDATE, DELETE')",
                [name],
            ).fetchall()
        finally:
            owner.execute(f"DROP ROLE {name}")
    assert [*open_functions, *open_tables] == []
