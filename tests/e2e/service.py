"""Running `mashup up`, used by a client without this package."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
import soundfile
from botocore.config import Config
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.e2e.command import MASHUP, excerpt
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.e2e.preloaded import PreloadedMashup

ENDED = ("completed", "failed", "canceled")


@dataclass(frozen=True)
class RunningService:
    """Running service: its folder, its facts from `mashup up --json`, and its environment."""

    folder: Path
    facts: dict[str, Any]
    environment: dict[str, str]

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Execute a statement as the owner, like a backend."""
        with psycopg.connect(
            self.facts["database_url"], autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def as_user(self, user: UUID, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Execute a statement with the role of a user, under row-level security."""
        with psycopg.connect(self.facts["database_url"], row_factory=dict_row) as connection:
            claims = json.dumps({"sub": str(user), "role": "authenticated"})
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            connection.execute("SET LOCAL ROLE authenticated")
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def upload(self, user: UUID, name: str, start_s: float, behind: bytes = b"") -> str:
        """Upload eight seconds of a song and other bytes like a backend; return the key."""
        data = io.BytesIO()
        soundfile.write(data, excerpt(8.0, start_s), 44_100, format=name.rpartition(".")[2].upper())
        key = f"uploads/{user}/{name}"
        self.s3().put_object(Bucket=self.facts["bucket"], Key=key, Body=data.getvalue() + behind)
        return key

    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.facts["s3_endpoint_url"],
            aws_access_key_id=self.facts["s3_access_key_id"],
            aws_secret_access_key=self.facts["s3_secret_access_key"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def api(self, user: UUID, path: str, document: dict[str, Any] | None = None) -> Any:
        """Request a path below /api for a user, with POST if there is a document."""
        request = urllib.request.Request(
            f"{self.facts['api_url']}/api/{path}",
            None if document is None else json.dumps(document).encode(),
            {
                "Authorization": f"Bearer {self.facts['api_token']}",
                "Mashup-User": str(user),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = answer.read()
            return json.loads(data) if "json" in answer.headers["Content-Type"] else data

    def insert(self, user: UUID, job_type: str, document: dict[str, Any]) -> UUID:
        rows = self.as_user(
            user,
            "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES (%s, %s, %s) RETURNING id",
            user,
            job_type,
            Jsonb(document),
        )
        job: UUID = rows[0]["id"]
        return job

    def ended(self, user: UUID, job: UUID, timeout_s: float = 300.0) -> dict[str, Any]:
        """Wait for the end of a job; return the row that its user sees. Progress must not fall."""
        end_s, progress = time.monotonic() + timeout_s, 0
        while True:
            (row,) = self.as_user(user, "SELECT * FROM ai_jobs WHERE id = %s", job)
            if row["attempt"] <= 1:
                assert row["progress"] >= progress
                progress = row["progress"]
            if row["status"] in ENDED:
                return row
            assert time.monotonic() < end_s, row
            time.sleep(0.1)


@dataclass(frozen=True)
class Service(RunningService):
    """Running service with commands."""

    preloaded: PreloadedMashup

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the settings of the service, and more."""
        return self.preloaded.run(*arguments, cwd=self.folder, env=self.environment | more)


@pytest.fixture(scope="package")
def service(
    preloaded: PreloadedMashup, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("up"), processes=2) as one:
        yield Service(one.folder, one.facts, one.environment, preloaded)


@contextmanager
def running_service(folder: Path, *, processes: int) -> Iterator[RunningService]:
    """Run `mashup up` in a folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "MASHUP_MODEL": "lite",
        "MASHUP_ALLOWED_LICENSES": "permissive",
        "MASHUP_OFFLINE": "1",
        "MASHUP_MODEL_CACHE": str(folder / "cache"),
    }
    with Process(
        [MASHUP, "up", "--data", folder / "data", "--processes", str(processes), "--json"],
        env={**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        stdout=subprocess.PIPE,
        preexec_fn=stop_with_tests,
        text=True,
    ) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        settings = {
            "DATABASE_URL": facts["database_url"],
            "REDIS_URL": facts["redis_url"],
            "S3_ENDPOINT_URL": facts["s3_endpoint_url"],
            "S3_BUCKET": facts["bucket"],
            "AWS_ACCESS_KEY_ID": facts["s3_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": facts["s3_secret_access_key"],
        }
        yield RunningService(folder, facts, {**environment, **settings})
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def new_user(service: Service) -> UUID:
    (row,) = service.sql("INSERT INTO profiles DEFAULT VALUES RETURNING id")
    service.sql("INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'studio')", row["id"])
    profile: UUID = row["id"]
    return profile


def new_mashup(service: Service, user: UUID) -> UUID:
    (row,) = service.sql("INSERT INTO mashups (user_id) VALUES (%s) RETURNING id", user)
    mashup: UUID = row["id"]
    return mashup


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        data: bytes = answer.read()
    return data
