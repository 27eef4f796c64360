"""A random, seeded schedule of faults, and the verdict on what became of the jobs.

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

from tests.chaos.arena import Actor, Arena, arena, until

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = ("claimed", "working", "uploaded", "publishing", "published")
AUDIO = ("inputs/good",) * 16 + ("inputs/flaky",) * 2 + ("inputs/broken",)
TERMINAL = ("completed", "failed", "canceled")


@dataclass
class Chaos:
    """One run.

    Attributes:
        arena: where it happens.
        dice: what chance decides by.
        lanes, mirrors: the processes that suffer.
        done: how often each fault happened.
    """

    arena: Arena
    dice: random.Random
    lanes: list[Actor]
    mirrors: list[Actor]
    done: Counter[str] = field(default_factory=Counter)
    jobs: list[UUID] = field(default_factory=list)
    mashup: UUID | None = None

    def insert(self, count: int) -> None:
        """New jobs; some belong to one mashup, and some are canceled at once."""
        for _ in range(count):
            document = {"audio": self.dice.choice(AUDIO)}
            if self.dice.random() < 0.2:
                document["mashup_id"] = str(self.mashup)
            self.jobs.append(self.arena.insert(input_data=Jsonb(document)))
            if self.dice.random() < 0.08:
                self.cancel()

    def cancel(self) -> None:
        """Ask for a job to be canceled, whatever it is doing."""
        with self.arena.sql() as connection:
            connection.execute(
                "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s",
                [self.dice.choice(self.jobs)],
            )

    def hurt(self) -> None:
        """One fault, after which everything that died is started again."""
        faults: dict[str, Callable[[], None]] = {
            **{f"kill at {point}": partial(self.arena.lay, point) for point in POINTS},
            "swallow the answer to a COMMIT": lambda: self.arena.lay("cut"),
            "kill a lane": lambda: self.dice.choice(self.lanes).send(signal.SIGKILL),
            "stop a lane past its lease": self._stop_a_lane,
            "hand back twice over": self._hand_back,
            "kill a mirror": lambda: self.dice.choice(self.mirrors).send(signal.SIGKILL),
            "flush Redis": self._flush_redis,
            "kill Valkey": self._kill_valkey,
            "restart Postgres": self._restart_postgres,
            "S3 refuses": lambda: self._s3("refuse"),
            "S3 hangs": lambda: self._s3("hang"),
            "cancel something": self.cancel,
        }
        name = self.dice.choice(list(faults))
        self.done[name] += 1
        faults[name]()
        for actor in (*self.lanes, *self.mirrors):
            actor.start()

    def _stop_a_lane(self) -> None:
        lane = self.dice.choice(self.lanes)
        lane.send(signal.SIGSTOP)
        time.sleep(2.5)
        lane.send(signal.SIGCONT)

    def _hand_back(self) -> None:
        lane = self.dice.choice(self.lanes)
        lane.send(signal.SIGTERM)
        time.sleep(0.05)
        lane.send(signal.SIGTERM)

    def _flush_redis(self) -> None:
        self.arena.redis.flushall()

    def _kill_valkey(self) -> None:
        self.arena.stack.valkey.kill()
        time.sleep(0.5)
        self.arena.stack.valkey.start()

    def _restart_postgres(self) -> None:
        self.arena.stack.postgres.stop()
        self.arena.stack.postgres.start()

    def _s3(self, mode: Any) -> None:
        self.arena.s3_proxy.become(mode)
        time.sleep(1.0)
        self.arena.s3_proxy.become("pass")

    def all_ended(self) -> bool:
        """Whether every job has ended; what died is started again."""
        for actor in (*self.lanes, *self.mirrors):
            actor.start()
        with self.arena.sql() as connection:
            row = connection.execute(
                "SELECT count(*) AS open FROM public.ai_jobs WHERE status <> ALL(%s)",
                [list(TERMINAL)],
            ).fetchone()
        return row is not None and row["open"] == 0


def verdict(chaos: Chaos) -> list[str]:
    """What is wrong in the end; empty when nothing is."""
    arena, wrong = chaos.arena, []
    with arena.sql() as connection:
        rows = connection.execute("SELECT * FROM public.ai_jobs").fetchall()
        stems = connection.execute("SELECT * FROM public.stems").fetchall()
        current = connection.execute("SELECT * FROM public.mashup_stems").fetchall()
    by_id = {row["id"]: row for row in rows}
    lost = set(chaos.jobs) - by_id.keys()
    wrong += [f"job {job} is lost" for job in lost]
    storage = arena.storage()
    there = {one.key for one in storage.list("jobs/")}
    for row in rows:
        name = f"job {row['id']} ({row['status']}, attempt {row['attempt']})"
        if row["status"] not in TERMINAL:
            wrong.append(f"{name} has not ended")
        if (row["output_data"] is not None) != (row["status"] == "completed"):
            wrong.append(f"{name}: output and status disagree")
        if row["status"] == "canceled" and row["cancel_requested_at"] is None:
            wrong.append(f"{name} was canceled by nobody")
        too_early = row["failures"] < row["max_attempts"] and row["error_code"] != "invalid_input"
        if row["status"] == "failed" and too_early:
            wrong.append(f"{name} failed too early: {row['error_code']}")
        for stem in (row["output_data"] or {}).get("stems", ()):
            if not stem["key"].startswith(f"jobs/{row['id']}/{row['attempt']}/"):
                wrong.append(f"{name} names an object of another attempt: {stem['key']}")
            if stem["key"] not in there:
                wrong.append(f"{name} names an object that is not there: {stem['key']}")
    wrong += _registry_faults(by_id, stems, current)
    wrong += _mirror_faults(arena, rows)
    return wrong


def _registry_faults(
    by_id: dict[UUID, dict[str, Any]], stems: list[dict[str, Any]], current: list[dict[str, Any]]
) -> list[str]:
    wrong = []
    published = Counter(stem["job_id"] for stem in stems)
    for job_id, row in by_id.items():
        wants = row["status"] == "completed" and "mashup_id" in row["input_data"]
        if published[job_id] != (2 if wants else 0):
            wrong.append(f"job {job_id}, {row['status']}, registered {published[job_id]} stems")
    if len(current) not in (0, 2):
        wrong.append(f"the mashup has {len(current)} stems")
    if len({stem["storage_key"].rpartition("/")[0] for stem in current}) > 1:
        wrong.append("the mashup has stems of two jobs")
    return wrong


def _mirror_faults(arena: Arena, rows: list[dict[str, Any]]) -> list[str]:
    client = arena.redis

    def differences() -> list[str]:
        found = []
        for row in rows:
            told = client.hgetall(f"ai_jobs:{row['id']}")
            seen = (told.get("status"), told.get("attempt"), told.get("progress"))
            if seen != (row["status"], str(row["attempt"]), str(row["progress"])):
                found.append(f"Redis says {seen} of job {row['id']}, Postgres {row['status']}")
            elif row["output_data"] != json.loads(told.get("output_data") or "null"):
                found.append(f"Redis has another output of job {row['id']}")
        return found

    end_s = time.monotonic() + 10
    while (found := differences()) and time.monotonic() < end_s:
        time.sleep(0.2)
    return found


def run(folder: Path, *, jobs: int, seed: int, faults: int) -> tuple[list[str], Chaos]:
    """A whole run; what is wrong in the end, and what happened.

    Args:
        folder: an empty one.
        jobs: how many jobs there are in all.
        seed: of everything that chance decides here.
        faults: how many things go wrong.
    """
    with arena(folder) as place:
        lanes = [place.lane(0.2) for _ in range(3)]
        mirrors = [place.mirror() for _ in range(2)]
        chaos = Chaos(place, random.Random(seed), lanes, mirrors, mashup=uuid4())
        with place.sql() as connection:
            connection.execute("INSERT INTO public.mashups (id) VALUES (%s)", [chaos.mashup])
        for number in range(faults):
            chaos.insert((number + 1) * jobs // faults - len(chaos.jobs))
            until(lambda: any(lane.is_ready() for lane in lanes), 30, "a lane to be ready")
            time.sleep(chaos.dice.uniform(0.2, 1.0))
            chaos.hurt()
        for left in place.faults.iterdir():
            left.unlink()
        until(chaos.all_ended, 120, "all jobs to end")
        return verdict(chaos), chaos


def main() -> int:
    """Run as the command line says; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    options = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        wrong, chaos = run(Path(name), jobs=options.jobs, seed=options.seed, faults=options.faults)
        sys.stdout.write(f"seed {options.seed}, {len(chaos.jobs)} jobs\n")
        for fault, count in sorted(chaos.done.items()):
            sys.stdout.write(f"{count:4} x {fault}\n")
    sys.stdout.write(f"{time.monotonic() - started_s:.0f} s\n")
    for one in wrong:
        sys.stdout.write(f"WRONG: {one}\n")
    sys.stdout.write("nothing is wrong\n" if not wrong else f"{len(wrong)} things are wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
