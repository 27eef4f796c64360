"""Plans and times of the searches of `GET /api/stems`, as a user under row-level security.

    python -m benchmarks.stem_search [--stems N]

One user in 200 searches; one stem in ten is public.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row

from benchmarks.results import publish, table
from mashup_worker.api.compatibility import scoring_for
from mashup_worker.db.migrate import migrate
from mashup_worker.db.named_sql import statements
from mashup_worker.db.stems import Reference, StemFilter
from mashup_worker.mixing.keys import keys_near
from mashup_worker.stack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.db.database import Connection

PAGE = 25
_RUNS = 15
_NEAR = keys_near("A minor", 1)
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "mine": {"mine": True},
    "public": {"public": True},
    "kind": {"kind": "drums"},
    "tempo": {"tempo_min": 119.5, "tempo_max": 120.5},
    "key": {"keys": ["A minor"]},
    "Camelot neighbors": {"keys": _NEAR},
    "kind, tempo and key": {
        "kind": "vocals",
        "tempo_min": 118.0,
        "tempo_max": 122.0,
        "keys": _NEAR,
    },
    "text": {"words": "night song12"},
    "text, mine": {"words": "upload 9", "mine": True},
    "license": {"licenses": ["permissive"]},
}
"""Conditions of each search; `mine` stands for the user."""

_LIBRARY = """
SET session_replication_role = replica;  -- without triggers and checks of foreign keys
INSERT INTO profiles SELECT gen_random_uuid() FROM generate_series(1, 200);
CREATE TEMPORARY TABLE creators AS
  SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM profiles;
INSERT INTO mashups (user_id, title, is_public, created_at)
  SELECT c.id, w.words[1 + i % 8] || ' ' || w.words[1 + i / 8 % 8] || ' song' || i % 5000,
    i % 10 = 0, timestamptz '2026-01-01' + i * interval '1 minute'
  FROM generate_series(1, (SELECT current_setting('bench.stems')::integer / 4)) AS i
  JOIN creators AS c ON c.number = i % 200
  CROSS JOIN (
    SELECT ARRAY['night', 'light', 'sun', 'rain', 'train', 'love', 'road', 'fire'] AS words
  ) AS w;
CREATE TEMPORARY TABLE songs AS
  SELECT id AS mashup, user_id, is_public, created_at, gen_random_uuid() AS job,
    round((60 + 140 * random())::numeric, 2) AS tempo,
    (ARRAY['C major', 'G major', 'D major', 'A minor', 'E minor', 'B minor', 'F minor', 'Ab major',
      'Eb major', 'C minor', 'F# major', 'D minor'])[1 + floor(12 * random())] AS musical_key
  FROM mashups;
INSERT INTO ai_jobs (id, user_id, job_type, input_data, status, created_at)
  SELECT job, user_id, 'separate',
    jsonb_build_object('audio', 'uploads/u/upload ' || tempo || '.mp3'), 'completed', created_at
  FROM songs;
INSERT INTO mashup_worker.job_models
  SELECT job, 'model', 'MIT',
    (ARRAY['permissive', 'restricted', 'restricted'])[1 + (100 * tempo)::integer % 3]
  FROM songs;
INSERT INTO stems (
    user_id, mashup_id, job_id, kind, storage_key, tempo_bpm, musical_key, is_public, created_at
  )
  SELECT user_id, mashup, job, kind, 'jobs/' || job || '/1/' || kind || '.flac', tempo, musical_key,
    is_public, created_at
  FROM songs CROSS JOIN unnest(ARRAY['vocals', 'drums', 'bass', 'other']) AS kind;
SET session_replication_role = origin;
VACUUM ANALYZE profiles;
VACUUM ANALYZE mashups;
VACUUM ANALYZE stems;
VACUUM ANALYZE ai_jobs;
VACUUM ANALYZE mashup_worker.job_models;
"""


def fill(owner: Connection, stems: int) -> UUID:
    """Insert stems of 200 users into an empty database; return one of the users."""
    owner.execute("SELECT set_config('bench.stems', %s, false), setseed(0.5)", [str(stems)])
    for statement in _LIBRARY.split(";\n"):
        owner.execute(statement.encode())
    row = owner.execute("SELECT user_id FROM stems WHERE NOT is_public LIMIT 1").fetchone()
    assert row is not None
    return UUID(str(row["user_id"]))


def searches(user: UUID) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, statement and parameters of each search of a user."""
    reference = Reference(
        id=uuid4(), tempo_bpm=120.0, musical_key="A minor", mashup_id=None, job_id=None
    )
    scoring = dict(vars(scoring_for(reference)))
    key_scores = scoring.pop("key_scores")
    scored = {
        **scoring,
        "scored_keys": list(key_scores),
        "key_scores": list(key_scores.values()),
        "tempo": reference.tempo_bpm,
        "reference": reference.id,
        "of_mashup": None,
        "of_job": None,
        "after_score": None,
    }
    for name, conditions in FILTERS.items():
        wanted = dict(conditions)
        owner = user if wanted.pop("mine", False) else None
        page = {**vars(StemFilter(**wanted, user=owner)), "after_id": None, "limit": PAGE + 1}
        yield name, "newest", {**page, "after_time": None}
        yield name, "compatible", {**page, **scored}


def explain(
    owner: Connection, user: UUID, statement: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Execute a search with the role of a user; return its plan with its times."""
    claims = json.dumps({"sub": str(user), "role": "authenticated"})
    text = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statements("stems")[statement]
    with owner.transaction():
        owner.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
        owner.execute("SET LOCAL ROLE authenticated")
        row = owner.execute(text, parameters).fetchone()
    assert row is not None
    found: dict[str, Any] = row["QUERY PLAN"][0]
    return found


def whole_tables(node: dict[str, Any]) -> list[str]:
    """Return the tables that a plan reads from the first to the last row."""
    inner = [name for plan in node.get("Plans", ()) for name in whole_tables(plan)]
    return inner + ([node["Relation Name"]] if node["Node Type"] == "Seq Scan" else [])


def main() -> None:
    """Measure all searches and publish their times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stems", type=int, default=100_000)
    given = parser.parse_args()
    times_ms: dict[str, list[str]] = {}
    read: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as info:
        migrate(info.database_url)
        kept: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
        with psycopg.connect(info.database_url, **kept) as owner:
            user = fill(owner, given.stems)
            for name, statement, parameters in searches(user):
                runs = [explain(owner, user, statement, parameters) for _ in range(_RUNS)]
                read.update(whole_tables(runs[0]["Plan"]))
                middle_ms = statistics.median(
                    run["Planning Time"] + run["Execution Time"] for run in runs
                )
                times_ms.setdefault(name, []).append(f"{middle_ms:.1f}")
    publish(
        "stem_search",
        f"First pages of {PAGE} stems among {given.stems:,} of 200 users, one in ten public; "
        f"milliseconds in Postgres, planning included, median of {_RUNS}. "
        f"Tables read from the first to the last row: {', '.join(sorted(read)) or 'none'}.",
        table(
            ("filter", "newest first", "with `compatible_with`"),
            [(name, *both) for name, both in times_ms.items()],
        ),
    )


if __name__ == "__main__":
    main()
