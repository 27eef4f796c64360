"""Fuzz the HTTP API with requests that schemathesis makes from its OpenAPI document.

    python -m tests.fuzz.api --seconds 600 --seed 1

The service is `mashup up` with a worker. Half of the ids and keys in requests are those of real
songs, jobs, stems and mashups; schemathesis links further requests by the answers that it gets. An
answer of 500 or later, or one that the document does not describe, is a failure. schemathesis is
installed into an environment of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import soundfile

from tests.e2e.command import MASHUP, excerpt
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PACKAGE = "schemathesis==4.32.*"

SKIPPED_CHECKS = (
    "positive_data_acceptance",  # 404, 409 and 422 are right for valid documents too
    "unsupported_method",  # HEAD is answered where it makes sense
    "use_after_free",  # a deleted file is gone at once; a canceled job stays
)


class Api:
    """Client of the service for one user."""

    def __init__(self, url: str, token: str, user: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Mashup-User": user}

    def call(self, path: str, body: bytes | Mapping[str, Any] | None = None, **headers: str) -> Any:
        """Return the document of an answer."""
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self._url + path, body, self._headers | headers, method="POST" if body else "GET"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def completed(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a job, and return it after its end."""
        job = self.call(path, body)["jobId"]
        end_s = time.monotonic() + 600
        while True:
            document: dict[str, Any] = self.call(f"/api/jobs/{job}")
            if document["status"] == "completed":
                return document
            assert document["status"] in ("queued", "processing"), document["error_message"]
            assert time.monotonic() < end_s
            time.sleep(0.2)

    def upload(self) -> str:
        """Upload a song of eight seconds, and return its key."""
        song = io.BytesIO()
        soundfile.write(song, excerpt(8.0), 44_100, format="WAV")
        head = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="song.wav"\r\n'
            b"Content-Type: audio/wav\r\n\r\n"
        )
        form = head + song.getvalue() + b"\r\n--x--\r\n"
        found = self.call(
            "/api/upload", form, **{"Content-Type": "multipart/form-data; boundary=x"}
        )
        key: str = found["key"]
        return key


@contextmanager
def service(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the facts of a running service."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        "OMP_NUM_THREADS": "1",
        "MASHUP_MODEL": "lite",
        "MASHUP_OFFLINE": "1",
        "MASHUP_REQUESTS_PER_MINUTE": "1000000",
    }
    with Process(
        [MASHUP, "up", "--data", str(folder / "data"), "--processes", "1", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        preexec_fn=stop_with_tests,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def known_values(facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """Make one of everything for a user, and return the ids and keys."""
    user = str(uuid4())
    with psycopg.connect(facts["database_url"], autocommit=True) as owner:
        owner.execute("INSERT INTO profiles (id) VALUES (%s)", [user])
        owner.execute("INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'studio')", [user])
        row = owner.execute("INSERT INTO mashups (user_id) VALUES (%s) RETURNING id", [user])
        ((of_stems,),) = row.fetchall()
    api = Api(facts["api_url"], facts["api_token"], user)
    song = api.upload()
    separated = api.completed("/api/audio/separate", {"audio": song, "mashup_id": str(of_stems)})
    stems = api.call("/api/stems?mine=true")["items"]
    inputs = [{"stem_id": stems[0]["id"], "kind": stems[0]["kind"]}, {"audio": song, "kind": "mix"}]
    mixed = api.completed("/api/mashup/ai", {"stems": inputs, "config": {"length_s": 4}})
    saved = api.call("/api/mashups", {"job_id": mixed["id"], "title": "Night over Light"})
    model = api.call("/v1/models/ryan5453/demucs")["latest_version"]
    return {
        "users": [user],
        "songs": [song],
        "jobs": [separated["id"], mixed["id"]],
        "stems": [stem["id"] for stem in stems],
        "mashups": [saved["id"], str(of_stems)],
        "cursors": [api.call("/api/stems?limit=1")["next"]],
        "versions": [model["id"]],
        "owners": ["ryan5453"],
    }


def configuration(known: Mapping[str, Sequence[str]], token: str, *, as_user: bool) -> str:
    """Return the settings of schemathesis, with which half of the values are known ones.

    Args:
        known: values by the name of their dictionary.
        token: token of all requests.
        as_user: whether half of the requests act for a user.
    """
    bindings = {
        "path.job_id": "jobs",
        "path.stem_id": "stems",
        "path.mashup_id": "mashups",
        "path.owner": "owners",
        "path.version_id": "versions",
        "query.compatible_with": "stems",
        "query.cursor": "cursors",
        "body.job_id": "jobs",
        "body.mashup_id": "mashups",
        "body.audio": "songs",
        "body.input.audio": "songs",
        "body.stems[*].stem_id": "stems",
        "body.stems[*].audio": "songs",
        "body.version": "versions",
    }
    if as_user:
        bindings["header.Mashup-User"] = "users"
    lines = [
        "max-stream-events = 3",
        f"headers = {{ Authorization = {json.dumps('Bearer ' + token)} }}",
        *(
            f"[dictionaries.{name}]\nvalues = {json.dumps(values)}"
            for name, values in known.items()
        ),
        "[parameters]",
        *(
            f'"{name}" = {{ dictionary = "{values}", probability = 0.5 }}'
            for name, values in bindings.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def installed(folder: Path) -> Path:
    """Return the command of schemathesis, in a new environment."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return folder / "bin" / "schemathesis"


def fuzz(command: Path, seconds: float, seed: int, folder: Path) -> int:
    """Return the exit code of schemathesis: 0 without a failure."""
    with service(folder) as facts:
        url, token = facts["api_url"], facts["api_token"]
        known = known_values(facts)
        code = 0
        for part, as_user, selection in (
            (0.8, True, ("--exclude-tag", "fleet")),
            (0.2, False, ("--include-tag", "fleet")),  # for operators, who act for no user
        ):
            settings = configuration(known, token, as_user=as_user)
            (folder / "schemathesis.toml").write_text(settings)
            options = (
                *("--max-time", f"{max(5.0, part * seconds):.0f}", "--seed", str(seed)),
                *("--checks", "all", "--exclude-checks", ",".join(SKIPPED_CHECKS)),
                *("--continue-on-failure", "--no-color"),
            )
            done = subprocess.run(
                [command, "run", f"{url}/api/openapi.json", *options, *selection],
                cwd=folder,
                check=False,
            )
            code = max(code, done.returncode)
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            assert answer.status == 200
    return code


def main() -> int:
    """Fuzz, and return 1 if an answer was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schemathesis", type=Path, help="installed command")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = given.schemathesis or installed(folder / "environment")
        return fuzz(command, given.seconds, given.seed, folder)


if __name__ == "__main__":
    sys.exit(main())
