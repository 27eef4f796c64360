"""One call of `mashup reprocess --enqueue`: uploads, mashups and jobs, followed until they end."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import typer

from mashup_worker.commands.shared.batch import as_song_error
from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.progress import progress_bar
from mashup_worker.commands.shared.services import jobs_database
from mashup_worker.db import jobs, seed
from mashup_worker.db.database import OUTAGES, reason_of
from mashup_worker.errors import EXIT_FAILED, InvalidInput, MashupError, StorageFailed
from mashup_worker.licenses import check_known_model
from mashup_worker.storage.objects import media_type, open_storage
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.commands.reprocess.output import Outcome, ReprocessPrinter
    from mashup_worker.commands.reprocess.sources import Track
    from mashup_worker.db.database import Database
    from mashup_worker.seed.record import SeedSettings
    from mashup_worker.storage.objects import Storage

_POLL_S = 1.0


class JobFailed(MashupError):
    """A job of the queue failed."""


@dataclass
class EnqueueRun:
    """Call of the command."""

    tracks: Sequence[Track]
    user: UUID
    settings: SeedSettings
    dry_run: bool
    printer: ReprocessPrinter
    _names: dict[UUID, str] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)

    def all(self) -> None:
        """Put all songs into the queue and follow them. Ends the command."""
        settings = service_settings_or_fail()
        check_known_model(self.settings.model, settings.worker.license_rule)
        try:
            storage = open_storage(settings.storage)
        except InvalidInput as error:
            raise InvalidInput(f"--enqueue: {error.message}") from error
        with jobs_database() as database:
            self._check_user(database)
            try:
                for track in self.tracks:
                    self._one(track, database, storage)
                self._follow(database)
            except (KeyboardInterrupt, SystemExit):
                if self._names:
                    self.printer.error("the jobs stay in the queue; the same command follows them")
                raise
        self.printer.summary(len(self.tracks))
        if self.printer.failed:
            raise typer.Exit(EXIT_FAILED)

    def _check_user(self, database: Database) -> None:
        """Check that the user exists before anything is uploaded."""
        import psycopg

        try:
            with database.transaction() as connection:
                seed.check(connection, self.user)
        except psycopg.errors.ForeignKeyViolation:
            raise InvalidInput(f"--user {self.user}: there is no such profile") from None

    def _one(self, track: Track, database: Database, storage: Storage) -> None:
        name = track.source.name
        with tempfile.TemporaryDirectory() as folder:
            try:
                file = track.bring(Path(folder))
                sha256 = file_sha256(file)
            except (InvalidInput, StorageFailed, OSError) as error:
                self.printer.failure_of(name, as_song_error(name, error))
                return
            if sha256 in self._seen:
                self.printer.outcome(
                    name, "duplicate", duplicate_of=self._seen[sha256], sha256=sha256
                )
                return
            self._seen[sha256] = name
            key = f"uploads/{self.user}/reprocess/{sha256}{file.suffix}"
            if not self.dry_run and storage.head(key) is None:
                storage.put(key, file, content_type=media_type(file), sha256=sha256)
        self._enqueue(name, sha256, key, database)

    def _enqueue(self, name: str, sha256: str, key: str, database: Database) -> None:
        word = f"reprocess:{sha256}:{self.settings.digest}"
        with database.transaction() as connection:
            job = seed.latest(connection, self.user, word)
            ended_badly = job is not None and job.status in ("failed", "canceled")
            if self.dry_run:
                planned = job is None or ended_badly
                self.printer.outcome(name, "planned" if planned else "followed", sha256=sha256)
                return
            old = job
            if job is None:
                title = PurePosixPath(name).stem
                job = seed.insert(
                    connection, user=self.user, key=word, title=title, document=self._document(key)
                )
            elif ended_badly:
                job = jobs.insert(
                    connection, job.job_type, job.input_data, user_id=self.user, retry_of=job.id
                )
        self._names[job.id] = name
        outcome: Outcome = "followed" if job is old else "enqueued"
        self.printer.outcome(name, outcome, f", job {job.id}", sha256=sha256, job=str(job.id))

    def _document(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = {
            "audio": key,
            "model": self.settings.model,
            "format": self.settings.format,
        }
        if self.settings.stems:
            document["stems"] = list(self.settings.stems)
        if self.settings.export:
            document["export"] = list(self.settings.export)
        if self.settings.sum_exact:
            document["sum_exact"] = True
        return document

    def _follow(self, database: Database) -> None:
        """Watch until all have ended, also through an outage."""
        open_jobs = dict(self._names)
        with progress_bar(100.0 * len(open_jobs), not self.printer.quiet) as bar:
            self.printer.bars = bar
            while open_jobs:
                try:
                    with database.transaction() as connection:
                        rows = seed.states(connection, list(open_jobs))
                except OUTAGES as error:
                    bar.at(reason_of(error), 0.0)
                    time.sleep(_POLL_S)
                    continue
                for job_id in open_jobs.keys() - {row["id"] for row in rows}:
                    self._tell_end(open_jobs.pop(job_id), None)
                for row in rows:
                    if row["status"] in jobs.TERMINAL:
                        self._tell_end(open_jobs.pop(row["id"]), row)
                done = len(self._names) - len(open_jobs)
                under_way = sum(row["progress"] or 0 for row in rows if row["id"] in open_jobs)
                everything = 100.0 * len(self._names)
                bar.begin(f"{done} of {len(self._names)}", 100.0 * done + under_way, everything)
                if open_jobs:
                    time.sleep(_POLL_S)

    def _tell_end(self, name: str, row: dict[str, Any] | None) -> None:
        if row is None:
            self.printer.failure_of(name, JobFailed(f"{name}: its job was removed"))
        elif row["status"] == "completed":
            self.printer.outcome(name, "processed", job=str(row["id"]))
        else:
            reason = row["error_message"] or row["status"]
            code = row["error_code"] or row["status"]
            self.printer.failure_of(name, JobFailed(f"{name}: {code}: {reason}"), code)
