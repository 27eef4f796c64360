"""`mashup match`: find songs that fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.clock import clock
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.options import AsJson, Device, License, Model
from mashup_worker.commands.shared.output import Output
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from mashup_worker.commands.shared.inputs import FoundSongs


def match(
    songs: Annotated[
        list[str],
        typer.Argument(
            help="Two songs or more: files, folders, or globs in quotes. A folder of stems is one "
            "song."
        ),
    ],
    separate: Annotated[
        bool,
        typer.Option(
            "--separate", help="Separate whole songs first, to compare vocals with instruments."
        ),
    ] = False,
    model: Model = "auto",
    license_: License = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Omit the reasons.")] = False,
) -> None:
    """Rate how well vocals and instruments of songs fit together."""
    from mashup_worker.commands.mix.inputs import song_loader, songs_of_arguments
    from mashup_worker.commands.shared.model_choice import ModelRequest, license_rule
    from mashup_worker.commands.shared.progress import song_progress
    from mashup_worker.models.device import resolve_device
    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.pipelines.mashup.match import match_songs

    with usage_errors():
        resolve_device(device)
        rule = license_rule(license_)
        request = ModelRequest.of(model, None, EngineOptions(device), rule) if separate else None
    printer = Output(as_json)
    arguments: list[FoundSongs] = []
    found = songs_of_arguments(songs, arguments.append, repeats=False)
    printer.note(arguments[0])
    if len(found) < 2:
        raise InvalidInput("match: fewer than two songs; name two different songs or more")
    with song_progress("match", not (quiet or as_json)) as progress:
        loaded = song_loader(request, device, progress).load(found)
        document = match_songs(loaded.songs).as_dict() | {"warnings": list(loaded.warnings)}
    document["notes"] = [*loaded.notes, *document["notes"]]
    document["left_out"] = len(arguments[0].left_out)
    printer.warnings(loaded.warnings)
    printer.json(document)
    for line in text_lines(document, with_reasons=not quiet):
        printer.line(line)


def text_lines(document: dict[str, Any], *, with_reasons: bool) -> list[str]:
    """Return the text of a result: each pair with scores, suggestion and reasons."""
    lines = []
    for one in document["matches"]:
        scores = ", ".join(f"{name} {one['scores'][name]['value']:.2f}" for name in one["scores"])
        pair = f"{one['vocal_song']} over {one['backing_song']}"
        lines.append(f"{one['total']:.2f}  {pair}: {scores}")
        lines.append(f"      {_suggested(one)}")
        lines += [f"      {text}" for text in _best_fits(one)]
        if with_reasons:
            lines += [f"      {name}: {score['reason']}" for name, score in one["scores"].items()]
    return lines + [f"Note: {note}" for note in document["notes"]]


def _suggested(one: dict[str, Any]) -> str:
    """Return the suggested tempo, and the changes to both songs."""
    advice = one["suggestion"]
    if advice["tempo_bpm"] is None:
        return "no common tempo"
    parts = [f"meet at {advice['tempo_bpm']:.2f} BPM"]
    for side in ("vocal", "backing"):
        changes = []
        if advice[f"{side}_semitones"]:
            changes.append(f"{advice[f'{side}_semitones']:+d} st")
        faster = 100 * (1 / advice[f"{side}_stretch_ratio"] - 1)
        if abs(faster) >= 0.05:
            changes.append(f"{faster:+.1f} %")
        if changes:
            parts.append(f"{one[f'{side}_song']} {', '.join(changes)}")
    return "; ".join(parts)


def _best_fits(one: dict[str, Any]) -> list[str]:
    """Return a line for the place where the songs fit best, if it is known."""
    fits = one["chords"]["fits"] if one["chords"] else []
    return [
        f"best fit: {_bars(fit['vocals'])} over {_bars(fit['backing'])} at "
        f"{fit['semitones']:+d} st, chords agree by {fit['agreement']:.0%}"
        for fit in fits[:1]
    ]


def _bars(side: dict[str, Any]) -> str:
    """Return bars with their section and time, such as `bars 17-32 (chorus C, 0:31)`."""
    first, last = side["bars"]
    section = side["section"]
    name = f"{section['role'] or 'section'} {section['label']}, " if section else ""
    return f"bars {first}-{last} ({name}{clock(side['start_s'], 1)})"
