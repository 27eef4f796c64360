"""`mashup analyze`: songs in, tempo, beats, key and loudness out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.errors import EXIT_USAGE, DeviceUnavailable, InvalidInput

Songs = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders, or globs in quotes. A folder of stems, such as `mashup separate` "
        "writes, is one song.",
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option("-o", "--output-dir", help="Folder for a JSON file of each song."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON a song on stdout.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print a header and a row a song on stdout.")]
Plot = Annotated[
    str | None,
    typer.Option(
        help="Draw each song: waveform with beats, tempogram, chroma, loudness. A name with .png "
        "for one song, or a folder for a <track>.png of each.",
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing", help="Leave songs alone whose results are all there. Needs -o."
    ),
]
TempoRange = Annotated[
    str | None,
    typer.Option(metavar="LOW-HIGH", help="Tempi that may come out, such as 80-160. [55-200]"),
]
TempoHint = Annotated[
    float | None,
    typer.Option(
        metavar="BPM", help="About the tempo: decides between a tempo and its half or double."
    ),
]
BeatsPerBar = Annotated[int | None, typer.Option(help="3 or 4. Found out when not given.")]
KeyProfile = Annotated[
    str,
    typer.Option(
        help="What keys are compared with: krumhansl, temperley, edm, or auto by content."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, help="Songs at the same time. All cores that this process may use when not given."
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only, and data.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print candidates with scores, profile and tuning.")
]

_JOBS_ON_GPU = 3


def analyze(
    songs: Songs,
    output_dir: OutputDir = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    plot: Plot = None,
    skip_existing: SkipExisting = False,
    tempo_range: TempoRange = None,
    tempo_hint: TempoHint = None,
    beats_per_bar: BeatsPerBar = None,
    key_profile: KeyProfile = "auto",
    device: Device = "auto",
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find tempo, beats, bars, key and loudness of songs."""
    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.files import ResultFiles
    from mashup_worker.commands.analyze.output import AnalysisPrinter
    from mashup_worker.commands.analyze.run import AnalyzeRun

    try:
        if as_json and as_csv:
            raise InvalidInput("--json and --csv exclude each other")
        if skip_existing and output_dir is None:
            raise InvalidInput("--skip-existing needs --output-dir, where results may be already")
        options = AnalysisOptions(
            _tempo_range(tempo_range) or AnalysisOptions.tempo_range_bpm,
            tempo_hint,
            beats_per_bar,
            key_profile,  # type: ignore[arg-type]
        )
        _check_device(device)
        found = find_songs(songs, stem_folders=True)
        printer = AnalysisPrinter(as_json, quiet, verbose, as_csv, tuple(found))
        files = ResultFiles(found, output_dir, plot)
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    except DeviceUnavailable as error:
        fail(error.message, error.exit_code)
    printer.start()
    AnalyzeRun(files, options, device, jobs or _default_jobs(device), skip_existing, printer).all()


def _tempo_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*", text)
    if match is None:
        raise InvalidInput(f"--tempo-range {text}: give two tempi, such as 80-160")
    return float(match[1]), float(match[2])


def _default_jobs(device: str) -> int:
    """As many as there are cores; few on a GPU, where each needs a CUDA context of its own."""
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return _usable_cores() if device == "cpu" else min(_JOBS_ON_GPU, _usable_cores())


def _check_device(requested: str) -> None:
    """Make sure that the device is there, without torch where that goes without saying."""
    if requested in ("auto", "cpu"):
        return
    if not re.fullmatch(r"cuda(:\d+)?", requested):
        raise InvalidInput(f"unknown device {requested!r}: use auto, cpu, cuda or cuda:N")
    from mashup_worker.models.device import resolve_device

    resolve_device(requested)


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
