"""`mashup analyze`: find tempo, beats, key and loudness of songs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.shared.exports import Exporter, ExportFormats, parse_exports
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.commands.shared.options import AsJson, Device, Quiet, Verbose
from mashup_worker.errors import InvalidInput
from mashup_worker.system.cores import usable_processors

_JOBS_ON_GPU = 3


def analyze(
    songs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, or globs in quotes. A folder of stems, as `mashup separate` "
            "writes it, is one song."
        ),
    ],
    output_dir: Annotated[
        Path | None, typer.Option("-o", "--output-dir", help="Folder for one JSON file per song.")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a header and one row per song.")
    ] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            help="Plot waveform, beats, sections, tempogram, chroma and loudness: to a .png file "
            "for one song, or to <track>.png in a folder."
        ),
    ] = None,
    export: ExportFormats = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Skip songs whose results exist, made from the same content with the same "
            "options. Needs -o.",
        ),
    ] = False,
    tempo_range: Annotated[
        str | None,
        typer.Option(metavar="LOW-HIGH", help="Range of tempi, in BPM, such as 80-160. [55-200]"),
    ] = None,
    tempo_hint: Annotated[
        float | None,
        typer.Option(
            metavar="BPM", help="Approximate tempo; decides between a tempo and its half or double."
        ),
    ] = None,
    beats_per_bar: Annotated[int | None, typer.Option(help="2, 3, 4, 5 or 7. [detected]")] = None,
    key_profile: Annotated[
        str,
        typer.Option(help="Key profile: krumhansl, temperley, edm, or auto to choose by content."),
    ] = "auto",
    chords: Annotated[
        str,
        typer.Option(
            help="Chords: template for major and minor, or network for more kinds, which needs the "
            "extra `chords` and takes ten times as long as all else."
        ),
    ] = "template",
    device: Device = "auto",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes. [all processors; at most 3 on a GPU]")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find tempo, beats, key, loudness, sections and chords."""
    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.files import ResultFiles
    from mashup_worker.commands.analyze.output import AnalysisPrinter
    from mashup_worker.commands.analyze.run import AnalyzeRun

    with usage_errors():
        if as_json and as_csv:
            raise InvalidInput("--json and --csv exclude each other")
        if skip_existing and output_dir is None:
            raise InvalidInput("--skip-existing needs --output-dir, the folder of earlier results")
        if export is not None and output_dir is None:
            raise InvalidInput("--export needs --output-dir, the folder of its files")
        options = AnalysisOptions(
            tempo_range_bpm=_tempo_range(tempo_range) or AnalysisOptions.tempo_range_bpm,
            tempo_hint_bpm=tempo_hint,
            beats_per_bar=beats_per_bar,
            key_profile=key_profile,  # type: ignore[arg-type]
            chord_method=chords,  # type: ignore[arg-type]
        )
        _check_device(device)
        found = find_songs(songs, stem_folders=True)
        printer = AnalysisPrinter(as_json, quiet, verbose, as_csv, tuple(found.songs))
        files = ResultFiles(found.songs, output_dir, plot)
        exporter = Exporter(parse_exports(export), printer)
    printer.note(files.without_results(found))
    printer.start()
    AnalyzeRun(
        files=files,
        options=options,
        device=device,
        jobs=jobs or _default_jobs(device),
        skip_existing=skip_existing,
        printer=printer,
        exporter=exporter,
    ).all()


def _tempo_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*", text)
    if match is None:
        raise InvalidInput(f"--tempo-range {text}: not a range; use two tempi, such as 80-160")
    return float(match[1]), float(match[2])


def _default_jobs(device: str) -> int:
    """Return the usable processors; fewer on a GPU, where each process needs a CUDA context."""
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return usable_processors() if device == "cpu" else min(_JOBS_ON_GPU, usable_processors())


def _check_device(requested: str) -> None:
    """Check that the device exists, without importing torch for `auto` and `cpu`."""
    if requested in ("auto", "cpu"):
        return
    if not re.fullmatch(r"cuda(:\d+)?", requested):
        raise InvalidInput(f"{requested}: unknown device; use auto, cpu, cuda or cuda:N")
    from mashup_worker.models.device import resolve_device

    resolve_device(requested)
