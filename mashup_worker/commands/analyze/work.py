"""The analysis of one song, as it runs in this process or in one of several."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.commands.shared.batch import as_song_error
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.analysis.result import AnalysisOptions, AnalyzeResult
    from mashup_worker.commands.shared.inputs import Song


@dataclass(frozen=True)
class AnalyzeTask:
    """One song, and what is wanted of it.

    Attributes:
        song: the song.
        options: what is known of it beforehand.
        device: where the analysis runs; `auto` is found out where it does.
        with_picture: whether a picture is wanted.
    """

    song: Song
    options: AnalysisOptions
    device: str
    with_picture: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a song: a document or an error.

    Attributes:
        document: what JSON says of the song.
        picture: a PNG file, where one was wanted.
        error: why there is no document.
        trace: where an error that nobody foresaw came from.
        skipped: whether the document is one of an earlier run.
    """

    document: dict[str, Any] | None = None
    picture: bytes | None = None
    error: MashupError | None = None
    trace: str = ""
    skipped: bool = False


def analyze_in_process(task: AnalyzeTask) -> Outcome:
    """Analyse a song where every other core has a song of its own."""
    import torch

    torch.set_num_threads(1)
    return analyze(task)


def analyze(task: AnalyzeTask, on_progress: Callable[[str, float], None] | None = None) -> Outcome:
    """Analyse a song; what goes wrong is part of the outcome."""
    try:
        return _analyze(task, on_progress)
    except Exception as error:
        trace = "" if isinstance(error, MashupError) else traceback.format_exc()
        return Outcome(error=as_song_error(task.song, error), trace=trace)


def _analyze(task: AnalyzeTask, on_progress: Callable[[str, float], None] | None) -> Outcome:
    from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files

    song = task.song
    if song.stems:
        result = analyze_stem_files(
            song.stems, task.options, device=task.device, on_progress=on_progress
        )
    else:
        result = analyze_file(song.path, task.options, device=task.device, on_progress=on_progress)
    document = {
        "input": str(song.path),
        "elapsed_s": round(result.elapsed_s, 3),
        "analysis": result.analysis.as_dict(),
    }
    if not task.with_picture:
        return Outcome(document)
    if on_progress is not None:
        on_progress("plot", 0.0)
    return Outcome(document, picture=_picture(song, result))


def _picture(song: Song, result: AnalyzeResult) -> bytes:
    from mashup_worker.commands.analyze.waveform import song_waveform
    from mashup_worker.plots.analysis import analysis_png

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of caches and of fonts
    with song_waveform(song) as waveform:
        return analysis_png(result, waveform, song.track)
