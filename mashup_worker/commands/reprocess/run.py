"""One call of `mashup reprocess --to`, with several songs in flight."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import typer

from mashup_worker.commands.reprocess.output import TimeLeft, duration_text
from mashup_worker.commands.shared.batch import as_song_error
from mashup_worker.commands.shared.failure import settings_or_fail
from mashup_worker.commands.shared.progress import Bars, progress_bar
from mashup_worker.errors import EXIT_FAILED, DeviceLost, InvalidInput, StorageFailed
from mashup_worker.pipelines.separation.in_flight import completed, warm_up
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.scratch import remove_stale_folders, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from mashup_worker.commands.reprocess.output import ReprocessPrinter
    from mashup_worker.commands.reprocess.sources import Track
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.commands.shared.progress import Bar
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separation.in_flight import Stop
    from mashup_worker.seed.library import Library
    from mashup_worker.seed.make import SeedResult
    from mashup_worker.seed.record import SeedRecord, SeedSettings

_SAVE_EVERY_S = 30.0


@dataclass(frozen=True)
class _Task:
    """Song to process, in a temporary folder for its file and results."""

    track: Track
    file: Path
    sha256: str


@dataclass
class ReprocessRun:
    """Call of the command; the model is loaded once, when the first song needs it."""

    tracks: Sequence[Track]
    library: Library
    settings: SeedSettings
    model: ModelRequest
    max_duration_s: float
    dry_run: bool
    printer: ReprocessPrinter
    jobs: int
    _done_bytes: dict[str, float] = field(default_factory=dict)
    _same: dict[str, list[Track]] = field(default_factory=dict)
    _saved_s: float = field(default_factory=time.monotonic)

    def all(self) -> None:
        """Process all songs and write the catalog; exit with an error code if any failed."""
        self.library.load()
        remove_stale_folders(None)
        size_bytes = sum(track.source.bytes for track in self.tracks)
        with progress_bar(size_bytes, not (self.printer.quiet or self.dry_run)) as bar:
            self.printer.bars = bar
            self._outcomes = _Outcomes(self.library, self.printer, bar, self.dry_run, size_bytes)
            try:
                with scratch_folder() as scratch:
                    todo = self._todo(Path(scratch))
                    with closing(completed(todo, self._make, self.jobs)) as songs:
                        for task, result in songs:
                            self._end(task, result)
            finally:
                self.printer.bars = Bars(None)
                if not self.dry_run:
                    self.library.write_catalog()
        self.printer.summary(len(self.tracks))
        if self.printer.failed:
            raise typer.Exit(EXIT_FAILED)

    def _todo(self, scratch: Path) -> Iterator[_Task]:
        """Yield the songs to process, each in a folder of its own."""
        for number, track in enumerate(self.tracks):
            name = PurePosixPath(track.source.name).name
            self._outcomes.show(f"{number + 1} of {len(self.tracks)}, {name}")
            folder = scratch / str(number)
            folder.mkdir()
            task = self._task_of(track, folder)
            if task is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                yield task
            self._save_catalog_if_due()

    def _task_of(self, track: Track, folder: Path) -> _Task | None:
        """Return the task of a song; None if its outcome is known, or follows from another song."""
        try:
            file, sha256 = self._fetched(track, folder)
        except Exception as error:
            self._outcomes.failed(track, error)
            return None
        first = self._outcomes.first_sources.setdefault(sha256, track.source.name)
        known = self.library.find(sha256, self.settings)
        if known is not None:
            self._outcomes.known(track, known)
        elif sha256 in self._done_bytes:
            self._same.setdefault(sha256, []).append(track)
        elif first != track.source.name:  # dry run, or it failed
            self._outcomes.duplicate(track, sha256)
        elif self.dry_run:
            self._outcomes.planned(track, file, sha256)
        else:
            with self.printer.bars.aside():  # fetching weights shows its own bar
                _ = self._separator
            self._done_bytes[sha256] = 0.0
            return _Task(track, file, sha256)
        return None

    def _fetched(self, track: Track, folder: Path) -> tuple[Path, str]:
        """Return the file of a song and its digest, without fetching a known object."""
        known = self.library.sha256_of(track.source)
        if known is not None and self.library.find(known, self.settings) is not None:
            return folder, known
        file = track.bring(folder)
        return file, file_sha256(file)

    def _make(self, task: _Task, stop: Stop) -> tuple[SeedResult, float]:
        """Process a song in a thread of the pool; return the seconds it took, too."""
        from mashup_worker.pipelines.song import STAGES
        from mashup_worker.seed.make import SeedSong, make_seed
        from mashup_worker.worker.progress import Progress

        progress, size = Progress(STAGES), task.track.source.bytes

        def report(stage: str, share: float) -> None:
            stop.check()
            progress.advance(stage, share)
            self._done_bytes[task.sha256] = size * progress.now()[0] / 100
            self._outcomes.bar.at(stage, sum(self._done_bytes.copy().values()))

        started_s = time.monotonic()
        song = SeedSong(task.file, task.sha256, task.track.source)
        made = make_seed(song, self._separator, self.settings, self.max_duration_s, report)
        return made, time.monotonic() - started_s

    def _end(self, task: _Task, result: Future[tuple[SeedResult, float]]) -> None:
        """Add a processed song to the library, and print it and its duplicates."""
        try:
            made, elapsed_s = result.result()
        except (StorageFailed, DeviceLost):  # the next song would fail too
            raise
        except Exception as error:
            self._outcomes.failed(task.track, error)
        else:
            self.library.add(made.record, made.files)
            self.printer.warn(Path(task.track.source.name), made.warnings)
            self._outcomes.made(task.track, made.record, elapsed_s)
        shutil.rmtree(task.file.parent, ignore_errors=True)
        del self._done_bytes[task.sha256]
        self._outcomes.show()
        known = self.library.find(task.sha256, self.settings)
        for same in self._same.pop(task.sha256, ()):
            if known is None:
                self._outcomes.duplicate(same, task.sha256)
            else:
                self._outcomes.known(same, known)
        self._save_catalog_if_due()

    @cached_property
    def _separator(self) -> Separator:
        from mashup_worker.commands.shared.model_choice import load_requested

        separator = load_requested(self.model, settings_or_fail(), self.printer.quiet).separator
        warm_up(separator, self.jobs)
        return separator

    def _save_catalog_if_due(self) -> None:
        if not self.dry_run and time.monotonic() - self._saved_s > _SAVE_EVERY_S:
            self.library.write_catalog()
            self._saved_s = time.monotonic()


class _Outcomes:
    """Outcomes of songs, printed and counted for the remaining time.

    Attributes:
        first_sources: source that a digest was first seen at.
        bar: progress bar of the run, in bytes.
    """

    def __init__(
        self, library: Library, printer: ReprocessPrinter, bar: Bar, dry_run: bool, size_bytes: int
    ) -> None:
        self._library, self._printer, self.bar, self._dry_run = library, printer, bar, dry_run
        self._time_left = TimeLeft(size_bytes)
        self._ended_s = time.monotonic()
        self.first_sources: dict[str, str] = {}

    def show(self, label: str | None = None) -> None:
        """Show the progress of the run."""
        # Skipped songs are not counted: they would shorten the estimate.
        done, left = self._time_left.processed_bytes, self._time_left.remaining_bytes
        self.bar.begin(label, done, done + left)

    def failed(self, track: Track, error: Exception) -> None:
        """Print the failure of a song."""
        self._time_left.skip(track.source.bytes)
        name = track.source.name
        self._printer.failure_of(name, as_song_error(name, error, self._printer.verbose))

    def planned(self, track: Track, file: Path, sha256: str) -> None:
        """Print that a song would be processed, with the duration of its header."""
        from mashup_worker.audio.probe import probe

        name, size_bytes = track.source.name, track.source.bytes
        try:
            claimed_s = probe(file).claimed_duration_s
        except InvalidInput as error:
            self.failed(track, type(error)(error.message.replace(str(file), name)))
        else:
            self._time_left.skip(size_bytes)
            self._printer.planned(name, size_bytes, claimed_s, sha256=sha256)

    def known(self, track: Track, record: SeedRecord) -> None:
        """Store another source of a processed song, and print that it is known."""
        if not self._dry_run:
            self._library.add_source(record, track.source)
        self._time_left.skip(track.source.bytes)
        name, sha256 = track.source.name, record.sha256
        if self.first_sources[sha256] == name:
            self._printer.outcome(name, "existing", sha256=sha256, folder=record.folder)
        else:
            self.duplicate(track, sha256)

    def duplicate(self, track: Track, sha256: str) -> None:
        """Print that a song has the content of an earlier one, and its failure."""
        name, first = track.source.name, self.first_sources[sha256]
        if first in self._printer.failed:
            self._printer.failure_of(name, self._printer.failed[first])
        else:
            self._printer.outcome(name, "duplicate", f", {first}", sha256=sha256, same_as=first)

    def made(self, track: Track, record: SeedRecord, elapsed_s: float) -> None:
        """Print a processed song."""
        # Songs overlap: each counts for the time since the one before ended.
        since_s, self._ended_s = self._ended_s, time.monotonic()
        self._time_left.add(track.source.bytes, self._ended_s - since_s)
        left_s = self._time_left.remaining_s
        left = f", about {duration_text(left_s)} left" if left_s else ""
        self._printer.outcome(
            record.sources[0].name,
            "processed",
            f" in {elapsed_s:.1f} s ({record.duration_s / elapsed_s:.1f} times real time){left}",
            sha256=record.sha256,
            folder=record.folder,
            duration_s=record.duration_s,
            elapsed_s=round(elapsed_s, 3),
            left_s=None if left_s is None else round(left_s, 1),
        )
