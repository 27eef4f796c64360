"""Random, seeded schedule of faults, with a check of all jobs at the end.

python -m tests.chaos.schedule --jobs 200 --seed 7
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from mashup_worker.stack.stack import Stack
from tests.chaos.arena import Arena, Managed, arena, until

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = ("claimed", "working", "uploaded", "publishing", "published")
AUDIO = ("inputs/good",) * 16 + ("inputs/flaky",) * 2 + ("inputs/broken",)
TERMINAL = ("completed", "failed", "canceled")


@dataclass
class Chaos:
    """One run.

    Attributes:
        arena: servers and processes.
        random: source of random choices.
        workers, mirrors: processes that faults hit.
        done: number of occurrences of each fault.
    """

    arena: Arena
    random: random.Random
    workers: list[Managed]
    mirrors: list[Managed]
    done: Counter[str] = field(default_factory=Counter)
    jobs: list[UUID] = field(default_factory=list)
    mashup: UUID | None = None

    def insert(self, count: int) -> None:
        """Insert jobs; some belong to one mashup, and some are canceled at once."""
        for _ in range(count):
            document = {"audio": self.random.choice(AUDIO)}
            if self.random.random() < 0.2:
                document["mashup_id"] = str(self.mashup)
            self.jobs.append(self.arena.insert(input_data=Jsonb(document)))
            if self.random.random() < 0.08:
                self.cancel()

    def cancel(self) -> None:
        """Request the cancellation of a random job."""
        with self.arena.sql() as connection:
            connection.execute(
                "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s",
                [self.random.choice(self.jobs)],
            )

    def inject(self) -> None:
        """Inject a random fault, then restart dead processes."""
        faults: dict[str, Callable[[], None]] = {
            **{f"kill at {step}": partial(self.arena.inject, step) for step in STEPS},
            "drop the answer to a COMMIT": lambda: self.arena.inject("cut"),
            "kill a worker process": lambda: self.random.choice(self.workers).send(signal.SIGKILL),
            "stop a worker process past its lease": self._stop_worker,
            "release by two signals": self._release,
            "kill a mirror": lambda: self.random.choice(self.mirrors).send(signal.SIGKILL),
            "flush Redis": self._flush_redis,
            "kill Valkey": self._kill_valkey,
            "restart Postgres": self._restart_postgres,
            "S3 refuses": lambda: self._s3("refuse"),
            "S3 hangs": lambda: self._s3("hang"),
            "cancel something": self.cancel,
        }
        name = self.random.choice(list(faults))
        self.done[name] += 1
        faults[name]()
        for process in (*self.workers, *self.mirrors):
            process.start()

    def _stop_worker(self) -> None:
        worker = self.random.choice(self.workers)
        worker.send(signal.SIGSTOP)
        time.sleep(2.5)
        worker.send(signal.SIGCONT)

    def _release(self) -> None:
        worker = self.random.choice(self.workers)
        worker.send(signal.SIGTERM)
        time.sleep(0.05)
        worker.send(signal.SIGTERM)

    def _flush_redis(self) -> None:
        self.arena.redis.flushall()

    def _kill_valkey(self) -> None:
        self.arena.stack.servers["valkey"].kill()
        time.sleep(0.5)
        self.arena.stack.servers["valkey"].start()

    def _restart_postgres(self) -> None:
        self.arena.stack.servers["postgres"].stop()
        self.arena.stack.servers["postgres"].start()

    def _s3(self, mode: Any) -> None:
        self.arena.s3_proxy.set_mode(mode)
        time.sleep(1.0)
        self.arena.s3_proxy.set_mode("pass")

    def all_ended(self) -> bool:
        """Restart dead processes; return whether every job has ended."""
        for process in (*self.workers, *self.mirrors):
            process.start()
        with self.arena.sql() as connection:
            row = connection.execute(
                "SELECT count(*) AS open FROM public.ai_jobs WHERE status <> ALL(%s)",
                [list(TERMINAL)],
            ).fetchone()
        return row is not None and row["open"] == 0


def problems_of(chaos: Chaos) -> list[str]:
    """Return the problems at the end of a run; empty if all is consistent."""
    arena, problems = chaos.arena, []
    with arena.sql() as connection:
        rows = connection.execute("SELECT * FROM public.ai_jobs").fetchall()
        stems = connection.execute("SELECT * FROM public.stems").fetchall()
        current = connection.execute("SELECT * FROM public.mashup_stems").fetchall()
    by_id = {row["id"]: row for row in rows}
    lost = set(chaos.jobs) - by_id.keys()
    problems += [f"job {job} is lost" for job in lost]
    storage = arena.storage()
    existing = {one.key for one in storage.list("jobs/")}
    for row in rows:
        name = f"job {row['id']} ({row['status']}, attempt {row['attempt']})"
        if row["status"] not in TERMINAL:
            problems.append(f"{name} has not ended")
        if (row["output_data"] is not None) != (row["status"] == "completed"):
            problems.append(f"{name}: output and status disagree")
        if row["status"] == "canceled" and row["cancel_requested_at"] is None:
            problems.append(f"{name} was canceled without a request")
        too_early = row["failures"] < row["max_attempts"] and row["error_code"] != "invalid_input"
        if row["status"] == "failed" and too_early:
            problems.append(f"{name} failed too early: {row['error_code']}")
        for stem in (row["output_data"] or {}).get("stems", ()):
            if not stem["key"].startswith(f"jobs/{row['id']}/{row['attempt']}/"):
                problems.append(f"{name} names an object of another attempt: {stem['key']}")
            if stem["key"] not in existing:
                problems.append(f"{name} names a missing object: {stem['key']}")
    problems += _registry_problems(by_id, stems, current)
    problems += _mirror_problems(arena, rows)
    return problems


def _registry_problems(
    by_id: dict[UUID, dict[str, Any]], stems: list[dict[str, Any]], current: list[dict[str, Any]]
) -> list[str]:
    problems = []
    published = Counter(stem["job_id"] for stem in stems)
    for job_id, row in by_id.items():
        wants = row["status"] == "completed" and "mashup_id" in row["input_data"]
        if published[job_id] != (2 if wants else 0):
            problems.append(f"job {job_id}, {row['status']}, registered {published[job_id]} stems")
    if len(current) not in (0, 2):
        problems.append(f"the mashup has {len(current)} stems")
    if len({stem["storage_key"].rpartition("/")[0] for stem in current}) > 1:
        problems.append("the mashup has stems of two jobs")
    return problems


def _mirror_problems(arena: Arena, rows: list[dict[str, Any]]) -> list[str]:
    client = arena.redis

    def differences() -> list[str]:
        found = []
        for row in rows:
            status = client.hgetall(f"ai_jobs:{row['id']}")
            seen = (status.get("status"), status.get("attempt"), status.get("progress"))
            if seen != (row["status"], str(row["attempt"]), str(row["progress"])):
                found.append(f"Redis says {seen} of job {row['id']}, Postgres {row['status']}")
            elif row["output_data"] != json.loads(status.get("output_data") or "null"):
                found.append(f"Redis has another output of job {row['id']}")
        return found

    end_s = time.monotonic() + 60
    while (found := differences()) and time.monotonic() < end_s:
        time.sleep(0.2)
    return found


def run(
    folder: Path, stack: Stack, *, jobs: int, seed: int, faults: int
) -> tuple[list[str], Chaos]:
    """Make a run; return its problems and its record.

    Args:
        folder: an empty folder.
        stack: running servers, which faults restart.
        jobs: number of jobs.
        seed: seed of random choices.
        faults: number of faults.
    """
    with arena(folder, stack) as place:
        workers = [place.worker_process(0.2) for _ in range(3)]
        mirrors = [place.mirror() for _ in range(2)]
        chaos = Chaos(place, random.Random(seed), workers, mirrors, mashup=uuid4())
        with place.sql() as connection:
            connection.execute("INSERT INTO public.mashups (id) VALUES (%s)", [chaos.mashup])
        for number in range(faults):
            chaos.insert((number + 1) * jobs // faults - len(chaos.jobs))
            until(lambda: any(one.is_ready() for one in workers), "a worker to be ready")
            time.sleep(chaos.random.uniform(0.2, 1.0))
            chaos.inject()
        for left in place.faults.iterdir():
            left.unlink()
        until(chaos.all_ended, "all jobs to end")
        return problems_of(chaos), chaos


def main() -> int:
    """Run with the options of the command line; return 1 after problems."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    options = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, stack = Path(name), Stack(Path(name) / "stack")
        with stack:
            problems, chaos = run(
                folder, stack, jobs=options.jobs, seed=options.seed, faults=options.faults
            )
        sys.stdout.write(f"seed {options.seed}, {len(chaos.jobs)} jobs\n")
        for fault, count in sorted(chaos.done.items()):
            sys.stdout.write(f"{count:4} x {fault}\n")
    sys.stdout.write(f"{time.monotonic() - started_s:.0f} s\n")
    for one in problems:
        sys.stdout.write(f"PROBLEM: {one}\n")
    sys.stdout.write("no problems\n" if not problems else f"{len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
