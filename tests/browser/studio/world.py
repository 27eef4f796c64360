"""The studio in a browser, over a real API whose jobs are worked on by hand."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np
from psycopg.types.json import Jsonb

from mashup_worker.audio.decode import decode
from mashup_worker.audio.peaks import write_peaks
from mashup_worker.audio.player_names import waveform_name
from mashup_worker.db import jobs
from mashup_worker.db.publishing import publish
from mashup_worker.db.sessions import create_code, new_secret
from mashup_worker.licenses import DEMUCS_LICENSE
from mashup_worker.queue.status import StatusView, write_status
from mashup_worker.settings import StorageSettings
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.vocabulary import JOB_TYPES
from tests.browser import songs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import psycopg
    import redis
    from playwright.sync_api import Browser, Page

    from tests.integration.api.live import LiveDatabase
    from tests.integration.api.process import ApiProcess

RATE = 44_100
SONG_S = 12
BEAT_S = 0.5
TONES_HZ: Mapping[str, float] = {"vocals": 880.0, "drums": 220.0, "bass": 110.0, "other": 440.0}
"""Tone of each stem, by which it is known in a mix."""

_BEATS_S = [BEAT_S * index for index in range(round(SONG_S / BEAT_S))]
ANALYSIS: Mapping[str, Any] = {
    "duration_s": float(SONG_S),
    "tempo_bpm": 60 / BEAT_S,
    "tempo_stable": True,
    "beats_s": _BEATS_S,
    "downbeats_s": _BEATS_S[::4],
    "beats_per_bar": 4,
    "time_signature": "4/4",
    "key": "A minor",
    "camelot": "8A",
}


@dataclass
class Studio:
    """Running API, and a worker that is this test.

    Attributes:
        owner: connection as the owner of the tables, in autocommit.
        folder: for files.
    """

    api: ApiProcess
    database: LiveDatabase
    owner: psycopg.Connection[dict[str, Any]]
    redis: redis.Redis
    folder: Path
    browser: Browser
    errors: list[str] = field(default_factory=list)

    def login_link(self, user: UUID) -> str:
        """Return a new link that logs a user in."""
        code = new_secret()
        create_code(self.owner, code, user_id=user, scopes=("read", "write"))
        return f"{self.api.url}/studio#login={code}"

    @contextmanager
    def page(self, user: UUID, **options: Any) -> Iterator[Page]:
        """Yield a page on which a user has logged in; faults of its scripts fail the test."""
        context = self.browser.new_context(accept_downloads=True, **options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._note(message.text))
        page.goto(self.login_link(user))
        page.get_by_role("heading", name="Songs", exact=True).wait_for()
        yield page
        context.close()
        assert self.errors == []

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.errors.append(text)

    def jobs_of(self, user: UUID) -> Sequence[jobs.Job]:
        """Return the jobs of a user, newest first."""
        return jobs.recent(self.owner, user_id=user, limit=10)

    def start(self, job: UUID, percent: int = 0, stage: str | None = None) -> None:
        """Start a queued job, and report its progress."""
        started = jobs.change_status(
            self.owner, "claim", id=job, worker_id="w", lease_s=60, job_types=list(JOB_TYPES)
        )
        assert started is not None
        if stage is not None:
            jobs.heartbeat(self.owner, _claim(started), lease_s=60, progress=percent, stage=stage)
        self._announce(job)

    def fail(self, job: UUID, code: str, message: str) -> None:
        """End a running job with an error."""
        running = jobs.find(self.owner, job)
        assert running is not None
        fence = _claim(running).fence
        assert jobs.change_status(self.owner, "fail", **fence, code=code, message=message)
        self._announce(job)

    def cancel(self, job: UUID) -> None:
        """End a queued job that its user canceled."""
        assert jobs.change_status(self.owner, "cancel_waiting", id=job)
        self._announce(job)

    def complete(self, job: UUID, output: Mapping[str, Any] | None = None) -> None:
        """End a running job with an output, by default with stems that are tones."""
        running = jobs.find(self.owner, job)
        assert running is not None
        with self.owner.transaction():
            assert jobs.change_status(
                self.owner,
                "complete",
                **_claim(running).fence,
                output=Jsonb(output or self._output(job)),
                result_digest=None,
                source_sha256=[],
                source_jobs=[],
            )
            publish(self.owner, running.job_type, job)
        self._announce(job)

    def song(self, user: UUID, name: str = "night.mp3") -> UUID:
        """Insert a separated song."""
        document = {"audio": f"uploads/{user}/{uuid4()}/{name}"}
        job = jobs.insert(self.owner, "separate", document, user_id=user).id
        self.start(job)
        self.complete(job)
        return job

    def _output(self, job: UUID) -> dict[str, Any]:
        stems = [
            {"kind": kind, "key": self.tone(f"jobs/{job}/1/{kind}.flac", tone_hz)}
            for kind, tone_hz in TONES_HZ.items()
        ]
        for stem in stems:
            stem["peaks_key"] = waveform_name(stem["key"])
        model = {
            "name": "htdemucs",
            "device": "cpu",
            "precision": "fp32",
            "license": DEMUCS_LICENSE.as_dict(),
        }
        return {"stems": stems, "analysis": ANALYSIS, "model": model}

    def tone(self, key: str, tone_hz: float, level: float = 0.2) -> str:
        """Store a tone and its waveform, and return its key."""
        file = self.folder / "stem.flac"
        mono = songs.tone(SONG_S * RATE, tone_hz, RATE, level)
        songs.write(file, np.repeat(mono, 2, axis=1))
        waveform = self.folder / "waveform.json"
        write_peaks(decode(file), waveform)
        self.put(key, file, "audio/flac")
        self.put(waveform_name(key), waveform, "application/json")
        return key

    @cached_property
    def store(self) -> S3Storage:
        """The API's store, which needs credentials in the environment of the test."""
        url, bucket = self.database.environment["S3_ENDPOINT_URL"], self.database.bucket
        return S3Storage(StorageSettings(s3_endpoint_url=url, s3_bucket=bucket))

    def taken_away(self, key: str) -> Path:
        """Delete an object of the store, and return its content as a file."""
        file = self.folder / "taken"
        self.store.get(key, file)
        self.store.delete([key])
        return file

    def put(self, key: str, file: Path, content_type: str) -> None:
        """Store a file."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.store.put(key, file, content_type=content_type, sha256=digest)

    def _announce(self, job: UUID) -> None:
        changed = jobs.find(self.owner, job)
        assert changed is not None
        write_status(self.redis, StatusView.from_job(changed))


def _claim(job: jobs.Job) -> jobs.Claim:
    return jobs.Claim(id=job.id, attempt=job.attempt, worker_id="w")
