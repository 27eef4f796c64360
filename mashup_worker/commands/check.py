"""`mashup check`: measure a finished mashup."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.audio.formats import LOSSY_SUFFIXES, audio_suffix, without_audio_suffix
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.folders import is_folder, is_system_file, is_system_folder
from mashup_worker.commands.shared.inputs import stem_files
from mashup_worker.commands.shared.names import real_path
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.errors import EXIT_FAILED, InvalidInput
from mashup_worker.vocabulary import stem_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.report import Measurement, MixReport

MARKS = {True: "✓", False: "✗", None: "–"}  # noqa: RUF001 - neither yes nor no
_COLORS = {True: "green", False: "red", None: "dim"}


def check(
    mix: Annotated[Path, typer.Argument(help="File of the mashup.", show_default=False)],
    stems: Annotated[
        Path | None,
        typer.Option(
            help="Folder of its rendered stems, <song>/<kind>.<extension>, or of the stems of one "
            "song."
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            help="Plan that it was rendered from. Its sources are read where they are unchanged.",
        ),
    ] = None,
    loudness: Annotated[
        float | None,
        typer.Option(metavar="LUFS", help="Expected integrated loudness. [the plan's]"),
    ] = None,
    true_peak: Annotated[
        float | None,
        typer.Option(metavar="DBTP", help="Highest true peak allowed. [the plan's, or -1]"),
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print failed measurements only.")
    ] = False,
) -> None:
    """Measure timing, key, loudness and splices of a mashup.

    Exits with 1 if a measurement is beyond its limit.
    """
    from mashup_worker.audio.decode import decode_warned
    from mashup_worker.commands.shared.output import Output
    from mashup_worker.commands.shared.progress import song_progress
    from mashup_worker.mixing.measures.tracks import StemTrack
    from mashup_worker.mixing.plan_document import load_plan
    from mashup_worker.pipelines.mashup.check import Target, check_mix
    from mashup_worker.pipelines.mashup.make import known_sounds

    with usage_errors():
        _check_range("--loudness", loudness, -60.0, 0.0)
        _check_range("--true-peak", true_peak, -20.0, 3.0)
        files = list(find_stems(stems)) if stems else []
    started_s = time.perf_counter()
    followed = load_plan(plan) if plan else None
    with song_progress(mix.name, not (as_json or quiet)) as progress:
        sound, warnings = decode_warned(mix)
        tracks: list[StemTrack] = []
        for done, (song, kind, path) in enumerate(files):
            progress("decode", done / len(files))
            audio, more = decode_warned(path)
            warnings += more
            tracks.append(StemTrack(name=f"{song}/{kind}", kind=kind, song=song, audio=audio))
        sounds: dict[str, Audio] = {}
        if plan and followed:
            sounds = known_sounds(followed, plan.parent, {track.name for track in tracks})
        report = check_mix(
            sound,
            plan=followed,
            stems=tracks,
            sounds=sounds,
            target=Target(loudness, true_peak),
            lossy=audio_suffix(mix.name) in LOSSY_SUFFIXES,
            on_progress=progress,
        )
    printer = Output(as_json, quiet)
    printer.warnings(warnings)
    if as_json:
        elapsed_s = round(time.perf_counter() - started_s, 3)
        facts = {"input": str(mix), "elapsed_s": elapsed_s, "warnings": warnings}
        printer.json(facts | report.as_dict())
    else:
        _print(report, quiet)
    if not report.passed:
        raise typer.Exit(EXIT_FAILED)


def find_stems(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield song, kind and file of the stems in a folder.

    Each subfolder is a song, and its audio files are stems named by their kind. Two or more stems
    in the folder itself form one song.

    Raises:
        InvalidInput: the folder is missing or contains no stems.
    """
    names = _names(folder)
    found = [
        (real_path(folder).name, kind, path) for kind, path in stem_files(folder, names).items()
    ]
    for song in names:
        if is_system_folder(song) or not is_folder(folder / song):
            continue
        kinds: dict[str, Path] = {}
        for name in _names(folder / song):
            if audio_suffix(name) and not is_system_file(name):
                kind = stem_kind(without_audio_suffix(name).lower())
                kinds.setdefault(kind, folder / song / name)
        found += [(song, kind, path) for kind, path in kinds.items()]
    if not found:
        raise InvalidInput(
            f"{folder}: no stems; expected <song>/<kind>.<extension>, or the stems of one song"
        )
    yield from found


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InvalidInput(f"{folder}: {error.strerror}") from error


def _check_range(option: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidInput(f"{option} {value:g}: it must lie between {low:g} and {high:g}")


def _print(report: MixReport, quiet: bool) -> None:
    rows = report.failures if quiet else report.measurements
    if sys.stdout.isatty() and rows:
        _print_table(rows)
    else:
        for one in rows:
            cells = (MARKS[one.passed], one.name, _figure(one), one.wanted, one.detail)
            typer.echo("\t".join(cells).rstrip())
    if quiet:
        return
    for note in report.notes:
        typer.echo(f"Note: {note}")
    judged = sum(one.passed is not None for one in report.measurements)
    failed = len(report.failures)
    typer.echo(f"{failed} of {judged} failed" if failed else f"all {judged} passed")


def _print_table(rows: tuple[Measurement, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "measurement", "value", "wanted", "detail", box=None, pad_edge=False)
    for column in table.columns[:4]:
        column.no_wrap = True
    table.columns[2].justify = "right"
    for one in rows:
        table.add_row(
            Text(MARKS[one.passed], style=_COLORS[one.passed]),
            Text(one.name),
            Text(_figure(one)),
            Text(one.wanted),
            Text(one.detail, style="dim"),
        )
    Console().print(table)


def _figure(one: Measurement) -> str:
    """Return a value with its unit; counts have neither unit nor decimals."""
    if one.value is None:
        return "-"
    if isinstance(one.value, str):
        return one.value
    whole = one.unit in ("", "semitones") and one.value == int(one.value)
    return f"{one.value:.0f}" if whole else f"{one.value:.2f} {one.unit}".rstrip()
