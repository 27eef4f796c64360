"""One call of `mashup analyze`: songs on all cores, printed in the order of the arguments."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.commands.analyze.work import AnalyzeTask, Outcome, analyze, analyze_in_process
from mashup_worker.commands.shared.batch import Batch, as_song_error, check_there
from mashup_worker.commands.shared.progress import batch_progress
from mashup_worker.errors import MashupError
from mashup_worker.system.process_pool import Crashed, ProcessPool

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.files import ResultFiles, ResultPaths
    from mashup_worker.commands.analyze.output import AnalysisPrinter
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.progress import BatchBar


@dataclass(frozen=True)
class _Planned:
    """Song to analyze, and the paths of its results."""

    task: AnalyzeTask
    files: ResultPaths


@dataclass
class AnalyzeRun:
    """Call of the command.

    Attributes:
        files: songs, and the paths of their results.
        options: options of the analysis.
        device: device that computes features.
        jobs: greatest number of processes.
        skip_existing: skip songs whose results all exist.
        printer: printer of results.
    """

    files: ResultFiles
    options: AnalysisOptions
    device: str
    jobs: int
    skip_existing: bool
    printer: AnalysisPrinter

    def all(self) -> None:
        """Analyze all songs, and exit with an error code if any failed."""
        songs = self.files.songs
        batch = Batch(songs, self.printer)
        planned = [self._plan(song) for song in songs]
        todo = [one for one in planned if isinstance(one, _Planned)]
        label = todo[0].task.song.path.name if len(todo) == 1 else f"{len(todo)} songs"
        with (
            batch_progress(len(todo), label, not self.printer.quiet) as bar,
            closing(self._arrivals(todo, bar)) as arrivals,
        ):
            outcomes = _in_order(planned, todo, arrivals, bar)
            for song, outcome in zip(songs, outcomes, strict=True):
                with bar.aside():
                    self._print(batch, song, outcome)
        batch.finish()

    def _plan(self, song: Song) -> _Planned | Outcome:
        """Return the task of a song, or its outcome if it is already decided."""
        try:
            check_there(song)
            files = self.files.of(song)
        except MashupError as error:
            return Outcome(error=error)
        if self.skip_existing and (stored := files.stored(song.path, self.options)) is not None:
            return Outcome({**stored, "skipped": True}, skipped=True)
        return _Planned(
            AnalyzeTask(song, self.options, self.device, files.picture is not None), files
        )

    def _arrivals(self, todo: Sequence[_Planned], bar: BatchBar) -> Generator[tuple[int, Outcome]]:
        """Yield outcomes with the index of their task, in the order of completion."""
        tasks = [one.task for one in todo]
        jobs = min(self.jobs, len(tasks))
        if jobs <= 1:
            for index, task in enumerate(tasks):
                yield index, analyze(task, bar.stage)
            return
        with ProcessPool(analyze_in_process, tasks, jobs) as pool:
            for index, result in pool.results():
                yield index, _crash(tasks[index], result) if isinstance(result, Crashed) else result

    def _print(self, batch: Batch, song: Song, outcome: Outcome) -> None:
        if outcome.error is None:
            self.printer.done(song, outcome)
            return
        if self.printer.verbose:
            sys.stderr.write(outcome.trace)
        batch.fail(song, outcome.error)


def _in_order(
    planned: Sequence[_Planned | Outcome],
    todo: Sequence[_Planned],
    arrivals: Iterator[tuple[int, Outcome]],
    bar: BatchBar,
) -> Iterator[Outcome]:
    """Yield the outcome of each song once it and all songs before it are done."""
    waiting: dict[int, Outcome] = {}
    place = 0
    for one in planned:
        if isinstance(one, Outcome):
            yield one
            continue
        while place not in waiting:
            index, outcome = next(arrivals)
            waiting[index] = _written(todo[index], outcome)
            bar.song_done()
        yield waiting.pop(place)
        place += 1


def _written(planned: _Planned, outcome: Outcome) -> Outcome:
    """Write the files of an outcome, and return it without the picture to save memory."""
    try:
        planned.files.write(outcome, planned.task.options)
    except Exception as error:
        return Outcome(error=as_song_error(planned.task.song, error))
    return Outcome(outcome.document, error=outcome.error, trace=outcome.trace)


def _crash(task: AnalyzeTask, died: Crashed) -> Outcome:
    code = died.exit_code
    how = f"was killed by signal {-code}" if code and code < 0 else f"exited with code {code}"
    return Outcome(error=MashupError(f"{task.song.path}: its analysis process {how}"))
