"""The studio over a running service, and its users and songs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import psycopg
import torch
from psycopg.rows import dict_row

from mashup_worker.analysis.result import Analysis, TempoStretch
from mashup_worker.audio.signal import Audio
from mashup_worker.db import jobs
from mashup_worker.db.sessions import create_code, new_secret
from mashup_worker.pipelines.waveforms import write_waveforms
from tests.browser import songs
from tests.e2e.service import RunningService
from tests.integration.api.rows import finished_job

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from mashup_worker.vocabulary import JobType

RATE = 44_100
BIN_HZ = RATE / 2048
TONES_HZ = {"vocals": 50 * BIN_HZ, "drums": 200 * BIN_HZ, "bass": 5 * BIN_HZ, "other": 20 * BIN_HZ}
"""Tones of the stems, at frequencies that an analyser has bins for."""

TEMPO_BPM = 120.0
_BEAT_S = 60 / TEMPO_BPM
_MASHUP = "INSERT INTO mashups (user_id, title, is_public) VALUES (%s, %s, true) RETURNING id"
_PUBLISH = "UPDATE stems SET is_public = true WHERE job_id = %s"
_BEFORE_TODAY = "UPDATE ai_jobs SET created_at = created_at - interval '1 day' WHERE id = %s"


@dataclass(frozen=True)
class StudioService(RunningService):
    """Running service with a page."""

    @property
    def url(self) -> str:
        url: str = self.facts["studio_url"]
        return url

    def new_user(self, tier: str | None = None) -> UUID:
        """Insert a user with a tier, by default the free one."""
        (row,) = self.sql("INSERT INTO profiles DEFAULT VALUES RETURNING id")
        user: UUID = row["id"]
        if tier is not None:
            self.subscribe(user, tier)
        return user

    def subscribe(self, user: UUID, tier: str) -> None:
        """Give a user a tier."""
        self.sql("INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", user, tier)

    def login_link(self, user: UUID, *, operator: bool = False) -> str:
        """Return a new login link of a user."""
        code = new_secret()
        scopes: Any = ["read", "write", *(["operator"] if operator else [])]
        with self._owner() as owner:
            create_code(owner, code, user_id=user, scopes=scopes)
        return f"{self.url}#login={code}"

    def add_song(
        self, user: UUID, title: str, *, duration_s: float = 32.0, is_public: bool = False
    ) -> UUID:
        """Store a song of yesterday, whose stems have a tone each; return the id of its job."""
        folder = f"jobs/{uuid4()}/1"
        with tempfile.TemporaryDirectory() as name:
            files = _write_stems(Path(name), duration_s)
            for path in files.values():
                key = f"{folder}/{path.name}"
                self.s3().upload_file(str(path), self.facts["bucket"], key)
        output = {
            "stems": [
                {
                    "kind": kind,
                    "key": f"{folder}/{kind}.flac",
                    "peaks_key": f"{folder}/{kind}.peaks.json",
                    "duration_s": duration_s,
                }
                for kind in TONES_HZ
            ],
            "analysis": _analysis(duration_s).as_dict(),
            "model": {"name": "lite", "device": "cpu", "precision": "fp32"},
        }
        document: dict[str, Any] = {"audio": f"uploads/{user}/{title}.wav"}
        if is_public:  # the title of another user's stem is that of its mashup
            (mashup,) = self.sql(_MASHUP, user, title)
            document["mashup_id"] = str(mashup["id"])
        with self._owner() as owner:
            job = finished_job(owner, user, "separate", output, **document)
        self.sql(_BEFORE_TODAY, job)
        if is_public:
            self.sql(_PUBLISH, job)
        return job

    def add_running(self, user: UUID, job_type: JobType, stage: str, **document: Any) -> UUID:
        """Insert a job that another worker seems to run for the next hour; return its id."""
        with self._owner() as owner, owner.transaction():
            job = jobs.insert(owner, job_type, document, user_id=user)
            assert jobs.change_status(
                owner, "claim", id=job.id, worker_id="w", lease_s=3600, job_types=[job_type]
            )
            claim = jobs.Claim(id=job.id, attempt=1, worker_id="w")
            jobs.heartbeat(owner, claim, lease_s=3600, progress=42, stage=stage)
        return job.id

    def fail(self, job: UUID, code: str) -> None:
        """End such a job with an error."""
        claim = jobs.Claim(id=job, attempt=1, worker_id="w")
        with self._owner() as owner:
            assert jobs.change_status(owner, "fail", **claim.fence, code=code, message="damaged")

    def mashup_input(self, song: UUID) -> list[dict[str, str]]:
        """Return the stems of a song as the input of a mashup."""
        rows = self.sql("SELECT id, kind FROM stems WHERE job_id = %s", song)
        return [{"stem_id": str(row["id"]), "kind": row["kind"], "song": "Sail"} for row in rows]

    def _owner(self) -> Connection:
        return psycopg.connect(self.facts["database_url"], autocommit=True, row_factory=dict_row)


def _write_stems(folder: Path, duration_s: float) -> dict[str, Path]:
    """Write stems, a tone each that is struck on every beat, and their files for players."""
    sounds = {}
    for kind, frequency_hz in TONES_HZ.items():
        tone = songs.tone(round(duration_s * RATE), frequency_hz, RATE, level=0.3)
        seconds = np.arange(len(tone)) / RATE % _BEAT_S
        struck = tone * (0.3 + 0.7 * np.exp(-12 * seconds))[:, None]
        path = folder / f"{kind}.flac"
        stored = songs.write(path, np.repeat(struck, 2, axis=1).astype(np.float32), RATE)
        sounds[path] = Audio(torch.from_numpy(stored.T.copy()), RATE)
    return write_waveforms(sounds, lambda *_: None)


def _analysis(duration_s: float) -> Analysis:
    beats_s = tuple(_BEAT_S * index for index in range(round(duration_s / _BEAT_S)))
    return Analysis(
        duration_s=duration_s,
        tempo_bpm=TEMPO_BPM,
        tempo_confidence=0.9,
        beat_confidence=0.9,
        bar_confidence=0.9,
        tempo_stable=True,
        beats_s=beats_s,
        downbeats_s=beats_s[::4],
        beats_per_bar=4,
        time_signature="4/4",
        tempo_stretches=(TempoStretch(beats_s[0], beats_s[-1], TEMPO_BPM, 4),),
        key="A minor",
        camelot="8A",
        key_confidence=0.9,
    )
