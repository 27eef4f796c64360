"""One call of `mashup analyze`: songs on all cores, printed in the order of the arguments."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.analysis.document import read_analysis
from mashup_worker.commands.analyze.work import AnalyzeTask, Outcome, analyze, analyze_in_process
from mashup_worker.commands.shared.batch import Batch, as_song_error, check_there
from mashup_worker.commands.shared.exports import song_to_export
from mashup_worker.commands.shared.progress import progress_bar
from mashup_worker.errors import MashupError
from mashup_worker.system.process_pool import Crashed, ProcessPool

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.files import ResultFiles
    from mashup_worker.commands.analyze.output import AnalysisPrinter
    from mashup_worker.commands.shared.exports import Exporter
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.progress import Bar


@dataclass
class AnalyzeRun:
    """Call of the command, with at most `jobs` processes."""

    files: ResultFiles
    options: AnalysisOptions
    device: str
    jobs: int
    skip_existing: bool
    printer: AnalysisPrinter
    exporter: Exporter

    def all(self) -> None:
        """Analyze all songs, and exit with an error code if any failed."""
        songs = self.files.songs
        batch = Batch(songs, self.printer)
        planned = [self._plan(song) for song in songs]
        todo = [one for one in planned if isinstance(one, AnalyzeTask)]
        label = todo[0].song.path.name if len(todo) == 1 else f"{len(todo)} songs"
        with (
            progress_bar(
                len(todo), not self.printer.quiet, label, "share" if len(todo) == 1 else "count"
            ) as bar,
            closing(self._arrivals(todo, bar)) as arrivals,
        ):
            outcomes = _in_order(planned, todo, arrivals, bar)
            for song, outcome in zip(songs, outcomes, strict=True):
                with bar.aside():
                    self._print(batch, song, outcome)
        if self.files.output_dir is not None:
            self.exporter.finish(self.files.output_dir, batch)
        batch.finish()

    def _plan(self, song: Song) -> AnalyzeTask | Outcome:
        """Return the task of a song, or its outcome if it is already decided."""
        try:
            check_there(song)
            files = self.files.of(song)
            stored = files.stored(song, self.options) if self.skip_existing else None
        except MashupError as error:
            return Outcome(error=error)
        if stored is not None:
            return Outcome({**stored, "skipped": True}, skipped=True)
        return AnalyzeTask(song=song, options=self.options, device=self.device, files=files)

    def _arrivals(self, tasks: Sequence[AnalyzeTask], bar: Bar) -> Generator[tuple[int, Outcome]]:
        """Yield outcomes with the index of their task, in the order of completion."""
        jobs = min(self.jobs, len(tasks))
        if jobs <= 1:
            for index, task in enumerate(tasks):
                bar.begin(None, index, len(tasks))
                yield index, analyze(task, bar.at)
            return
        with ProcessPool(analyze_in_process, tasks, jobs) as pool:
            for index, result in pool.results():
                yield index, _crash(tasks[index], result) if isinstance(result, Crashed) else result

    def _print(self, batch: Batch, song: Song, outcome: Outcome) -> None:
        if outcome.error is None:
            self.printer.done(song, outcome)
            if self.exporter.names and self.files.output_dir is not None:
                with batch.collect_failure(song):
                    analysis = read_analysis((outcome.document or {})["analysis"])
                    whole = song_to_export(song, whole=None, analysis=analysis)
                    folder = (self.files.output_dir / song.track).parent
                    self.exporter.add(whole, song, folder, batch)
            return
        if self.printer.verbose:
            sys.stderr.write(outcome.trace)
        batch.fail(song, outcome.error)


def _in_order(
    planned: Sequence[AnalyzeTask | Outcome],
    todo: Sequence[AnalyzeTask],
    arrivals: Iterator[tuple[int, Outcome]],
    bar: Bar,
) -> Iterator[Outcome]:
    """Yield the outcome of each song once it and all songs before it are done."""
    waiting: dict[int, Outcome] = {}
    place = arrived = 0
    for one in planned:
        if isinstance(one, Outcome):
            yield one
            continue
        while place not in waiting:
            index, outcome = next(arrivals)
            waiting[index] = _written(todo[index], outcome)
            arrived += 1
            bar.begin(None, arrived, len(todo))
        yield waiting.pop(place)
        place += 1


def _written(task: AnalyzeTask, outcome: Outcome) -> Outcome:
    """Write the files of an outcome, and return it without the picture to save memory."""
    try:
        task.files.write(outcome, task.options)
    except Exception as error:
        return Outcome(error=as_song_error(task.song.path, error))
    return Outcome(outcome.document, error=outcome.error, trace=outcome.trace)


def _crash(task: AnalyzeTask, died: Crashed) -> Outcome:
    code = died.exit_code
    how = f"was killed by signal {-code}" if code and code < 0 else f"exited with code {code}"
    return Outcome(error=MashupError(f"{task.song.path}: its analysis process {how}"))
