"""One call of `mashup reprocess --to`, with several songs in flight."""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import typer

from mashup_worker.commands.reprocess.output import duration_text
from mashup_worker.commands.shared.failure import settings_or_fail
from mashup_worker.commands.shared.progress import share_progress
from mashup_worker.errors import EXIT_FAILED, DeviceLost, InvalidInput, MashupError, StorageFailed
from mashup_worker.pipelines.separation.in_flight import completed, warm_up
from mashup_worker.seed.time_left import TimeLeft
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.scratch import remove_stale_folders, scratch_folder

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from mashup_worker.commands.reprocess.output import ReprocessPrinter
    from mashup_worker.commands.reprocess.sources import Track
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separation.in_flight import Stop
    from mashup_worker.seed.library import Library
    from mashup_worker.seed.make import SeedResult
    from mashup_worker.seed.record import SeedRecord, SeedSettings

_SAVE_EVERY_S = 30.0


@dataclass(frozen=True, eq=False)
class _Task:
    """Song to process, with a temporary folder for its file and results."""

    track: Track
    file: Path
    sha256: str
    folder: tempfile.TemporaryDirectory[str]


@dataclass(frozen=True)
class _Made:
    """Processed song, and the seconds it took."""

    song: SeedResult
    elapsed_s: float


@dataclass
class ReprocessRun:
    """Call of the command; the model is loaded once, when the first song needs it.

    Attributes:
        tracks: songs to process.
        library: destination.
        settings: format and model of the stems.
        model: model to load.
        max_duration_s: longest song accepted.
        dry_run: print the songs to process, and write nothing.
        printer: printer of outcomes.
        jobs: greatest number of songs in flight.
    """

    tracks: Sequence[Track]
    library: Library
    settings: SeedSettings
    model: ModelRequest
    max_duration_s: float
    dry_run: bool
    printer: ReprocessPrinter
    jobs: int
    _seen: dict[str, str] = field(default_factory=dict)
    _in_flight: dict[str, float] = field(default_factory=dict)
    _same: dict[str, list[Track]] = field(default_factory=dict)
    _folders: set[tempfile.TemporaryDirectory[str]] = field(default_factory=set)
    _saved_s: float = field(default_factory=time.monotonic)
    _ended_s: float = field(default_factory=time.monotonic)

    def all(self) -> None:
        """Process all songs and write the catalog; exit with an error code if any failed."""
        self.library.load()
        remove_stale_folders(None)
        time_left = self._time_left = TimeLeft(sum(track.source.bytes for track in self.tracks))
        shown = not (self.printer.quiet or self.dry_run)
        with share_progress(time_left.remaining_bytes, shown) as self._bar:
            self.printer.bars.append(self._bar)
            try:
                with closing(completed(self._todo(), self._make, self.jobs)) as songs:
                    for work, result in songs:
                        self._end(work, result)
            finally:
                self.printer.bars.clear()
                for folder in self._folders:
                    folder.cleanup()
                if not self.dry_run:
                    self.library.write_catalog()
        self.printer.summary(len(self.tracks))
        if self.printer.failed:
            raise typer.Exit(EXIT_FAILED)

    def _todo(self) -> Iterator[_Task]:
        """Yield the songs to process, each with its temporary folder."""
        for number, track in enumerate(self.tracks):
            name = PurePosixPath(track.source.name).name
            self._show(f"{number + 1} of {len(self.tracks)}, {name}")
            folder = scratch_folder()
            self._folders.add(folder)
            work = self._task_of(track, folder)
            if work is None:
                self._drop(folder)
            else:
                yield work
            self._save_catalog_if_due()

    def _task_of(self, track: Track, folder: tempfile.TemporaryDirectory[str]) -> _Task | None:
        """Return the task of a song; None if its outcome is known, or follows from another song."""
        try:
            file, sha256 = self._fetched(track, Path(folder.name))
        except Exception as error:
            self._fail(track, error)
            return None
        work = None
        known = self.library.find(sha256, self.settings)
        if known is not None:
            self._print_known(track, known)
        elif sha256 in self._in_flight:
            self._same.setdefault(sha256, []).append(track)
        elif sha256 in self._seen:  # dry run, or it failed
            self._print_duplicate(track, sha256)
        elif self.dry_run:
            self._plan(track, file, sha256)
        else:
            with self._bar.aside():  # fetching weights shows its own bar
                _ = self._separator
            self._in_flight[sha256] = 0.0
            work = _Task(track, file, sha256, folder)
        self._seen.setdefault(sha256, track.source.name)
        return work

    def _fetched(self, track: Track, folder: Path) -> tuple[Path, str]:
        """Return the file of a song and its digest, without fetching a known object."""
        known = self.library.sha256_of(track.source)
        if known is not None and self.library.find(known, self.settings) is not None:
            return folder, known
        file = track.bring(folder)
        return file, file_sha256(file)

    def _plan(self, track: Track, file: Path, sha256: str) -> None:
        """Print that a song would be processed, with the duration of its header."""
        from mashup_worker.audio.probe import probe

        name, size_bytes = track.source.name, track.source.bytes
        try:
            claimed_s = probe(file).claimed_duration_s
        except InvalidInput as error:
            self._fail(track, type(error)(error.message.replace(str(file), name)))
            return
        self._time_left.skip(size_bytes)
        self.printer.planned(name, size_bytes, claimed_s, sha256=sha256)

    def _make(self, work: _Task, stop: Stop) -> _Made:
        """Process a song in a thread of the pool."""
        from mashup_worker.pipelines.song import STAGES
        from mashup_worker.seed.make import SeedSong, make_seed
        from mashup_worker.worker.progress import Progress

        progress, size = Progress(STAGES), work.track.source.bytes

        def report(stage: str, share: float) -> None:
            stop.check()
            progress.advance(stage, share)
            self._in_flight[work.sha256] = size * progress.now()[0] / 100
            self._bar.at(stage, sum(self._in_flight.copy().values()))

        started_s = time.monotonic()
        song = SeedSong(work.file, work.sha256, work.track.source)
        made = make_seed(song, self._separator, self.settings, self.max_duration_s, report)
        return _Made(made, time.monotonic() - started_s)

    def _end(self, work: _Task, result: Future[_Made]) -> None:
        """Add a processed song to the library, and print it and its duplicates."""
        track, sha256 = work.track, work.sha256
        try:
            made = result.result()
        except (StorageFailed, DeviceLost):  # the next song would fail too
            raise
        except Exception as error:
            self._fail(track, error)
        else:
            self.library.add(made.song.record, made.song.files)
            # Songs overlap: each counts for the time since the one before ended.
            since_s, self._ended_s = self._ended_s, time.monotonic()
            self._time_left.add(track.source.bytes, self._ended_s - since_s)
            self._print_made(made.song.record, made.elapsed_s)
        self._drop(work.folder)
        del self._in_flight[sha256]
        self._show()
        for same in self._same.pop(sha256, ()):
            known = self.library.find(sha256, self.settings)
            if known is None:
                self._print_duplicate(same, sha256)
            else:
                self._print_known(same, known)
        self._save_catalog_if_due()

    def _drop(self, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._folders.discard(folder)
        folder.cleanup()

    def _show(self, label: str | None = None) -> None:
        # Skipped songs are not counted: they would shorten the estimate.
        done, left = self._time_left.processed_bytes, self._time_left.remaining_bytes
        self._bar.begin(label, done, done + left)

    @cached_property
    def _separator(self) -> Separator:
        from mashup_worker.commands.shared.model_choice import load_requested

        separator = load_requested(self.model, settings_or_fail(), self.printer.quiet).separator
        warm_up(separator, self.jobs)
        return separator

    def _fail(self, track: Track, error: Exception) -> None:
        if not isinstance(error, MashupError):
            if self.printer.verbose:
                sys.stderr.write(traceback.format_exc())
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            error = MashupError(f"{track.source.name}: {reason} (see --verbose)")
        self._time_left.skip(track.source.bytes)
        self.printer.failure_of(track.source.name, error)

    def _print_known(self, track: Track, record: SeedRecord) -> None:
        if not self.dry_run:
            self.library.add_source(record, track.source)
        self._time_left.skip(track.source.bytes)
        if record.sha256 in self._seen:
            self._print_duplicate(track, record.sha256)
        else:
            self.printer.outcome(
                track.source.name, "existing", sha256=record.sha256, folder=record.folder
            )

    def _print_duplicate(self, track: Track, sha256: str) -> None:
        first = self._seen[sha256]
        if first in self.printer.failed:
            self.printer.failure_of(track.source.name, self.printer.failed[first])
        else:
            self.printer.outcome(
                track.source.name, "duplicate", f", {first}", sha256=sha256, duplicate_of=first
            )

    def _print_made(self, record: SeedRecord, elapsed_s: float) -> None:
        left_s = self._time_left.remaining_s
        left = f", about {duration_text(left_s)} left" if left_s else ""
        self.printer.outcome(
            record.sources[0].name,
            "processed",
            f" in {elapsed_s:.1f} s ({record.duration_s / elapsed_s:.1f} times real time){left}",
            sha256=record.sha256,
            folder=record.folder,
            duration_s=record.duration_s,
            elapsed_s=round(elapsed_s, 3),
            left_s=None if left_s is None else round(left_s, 1),
        )

    def _save_catalog_if_due(self) -> None:
        if not self.dry_run and time.monotonic() - self._saved_s > _SAVE_EVERY_S:
            self.library.write_catalog()
            self._saved_s = time.monotonic()
