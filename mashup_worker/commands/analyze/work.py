"""Analysis of one song, in this process or in a worker of a pool."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.commands.shared.batch import as_song_error
from mashup_worker.commands.shared.song_source import SongSource
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.analysis.result import AnalysisOptions, AnalyzeResult
    from mashup_worker.commands.analyze.files import ResultPaths
    from mashup_worker.commands.shared.inputs import Song


@dataclass(frozen=True)
class AnalyzeTask:
    """Song to analyze, and the paths of its results. The process that runs resolves the device."""

    song: Song
    options: AnalysisOptions
    device: str
    files: ResultPaths


@dataclass(frozen=True)
class Outcome:
    """Result of a song: a document, perhaps of an earlier run, and PNG data; or an error.

    `source` is the song for a document that will be stored.
    """

    document: dict[str, Any] | None = None
    source: SongSource | None = None
    picture: bytes | None = None
    error: MashupError | None = None
    trace: str = ""
    skipped: bool = False


def analyze_in_process(task: AnalyzeTask) -> Outcome:
    """Analyze a song on one thread, for pools that use every core."""
    import torch

    torch.set_num_threads(1)
    return analyze(task)


def analyze(task: AnalyzeTask, on_progress: Callable[[str, float], None] | None = None) -> Outcome:
    """Analyze a song; errors become part of the outcome."""
    try:
        return _analyze(task, on_progress)
    except Exception as error:
        trace = "" if isinstance(error, MashupError) else traceback.format_exc()
        return Outcome(error=as_song_error(task.song.path, error), trace=trace)


def _analyze(task: AnalyzeTask, on_progress: Callable[[str, float], None] | None) -> Outcome:
    from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files

    song, document_path = task.song, task.files.document
    source = SongSource.of(song, document_path.parent) if document_path is not None else None
    if song.stems:
        result = analyze_stem_files(
            song.stems, task.options, device=task.device, on_progress=on_progress
        )
    else:
        result = analyze_file(song.path, task.options, device=task.device, on_progress=on_progress)
    document = {
        "input": str(song.path),
        "elapsed_s": round(result.elapsed_s, 3),
        "warnings": list(result.warnings),
        "analysis": result.analysis.as_dict(),
    }
    if task.files.picture is None:
        return Outcome(document, source)
    if on_progress is not None:
        on_progress("plot", 0.0)
    return Outcome(document, source, picture=_picture(song, result))


def _picture(song: Song, result: AnalyzeResult) -> bytes:
    from mashup_worker.commands.analyze.waveform import song_waveform
    from mashup_worker.plots.analysis import analysis_png

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports caches and fonts
    with song_waveform(song) as waveform:
        return analysis_png(result, waveform, song.track)
