"""Text form of an analysis, for terminals and pipes."""

from __future__ import annotations

from colorsys import hls_to_rgb
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.style import Style
from rich.text import Text

from mashup_worker.commands.shared.clock import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Fields = Mapping[str, Any]
    """Analysis as a JSON object."""

NOTHING = "-"
"""Text for values that could not be determined."""

_GAP = "   "
_LEAD = 19
"""Width of the first value of a line in a block."""

_METER_CELLS = 10

_SHOWN_CHORDS = 16

_LEAST_SCORE = 0.005
"""Candidates with a lower score would be printed as 0.00."""

_COLUMNS = {
    "tempo": 17,
    "sure": 4,
    "meter": 3,
    "key": 12,
    "LUFS": 10,
    "LU": 7,
    "dBTP": 9,
    "clock": 6,
}
"""Widths of the columns of a row after the song's name."""

LEAST_NAME_WIDTH = 16

ROW_WIDTH = sum(_COLUMNS.values()) + _COLUMNS["sure"] + len(_GAP) * 7 + 4


_LEVELS = {
    "loudness": ("loudness_lufs", "LUFS"),
    "range": ("loudness_range_lu", "LU"),
    "true peak": ("true_peak_dbtp", "dBTP"),
}
"""Fields of loudness by display name, with their units."""


def line(name: str, analysis: Fields, note: str = "") -> Text:
    """Return a song on one line that needs no header."""
    has_tempo, has_key = analysis["tempo_bpm"] is not None, bool(analysis["key"])
    facts = [
        f"{_tempo(analysis)} ({_percent(analysis['tempo_confidence'])})"
        if has_tempo
        else "no tempo",
        analysis["time_signature"] or "",
        f"{_key(analysis)} ({_percent(analysis['key_confidence'])})" if has_key else "no key",
        _figure(analysis["loudness_lufs"], "LUFS") or "no loudness",
    ]
    for label in ("range", "true peak"):
        field, unit = _LEVELS[label]
        facts.append(
            f"{label} {_figure(analysis[field], unit)}" if analysis[field] is not None else ""
        )
    facts += [clock(analysis["duration_s"]), note]
    return Text(f"{name}: {', '.join(fact for fact in facts if fact)}")


def row(name: str, analysis: Fields, note: str, name_width: int) -> Text:
    """Return a song as one row of aligned columns."""
    has_tempo, has_key = analysis["tempo_bpm"] is not None, bool(analysis["key"])
    text = Text().append(_shortened(name, name_width).ljust(name_width), "bold")
    _column(text, "tempo", _tempo(analysis) if has_tempo else NOTHING, "bold cyan")
    _column(text, "sure", _percent(analysis["tempo_confidence"], has_tempo), "dim", "  ")
    _column(text, "meter", analysis["time_signature"] or NOTHING, "dim")
    text.append(_GAP)
    text.append_text(_key(analysis, NOTHING, _COLUMNS["key"]))
    _column(text, "sure", _percent(analysis["key_confidence"], has_key), "dim", "  ")
    for field, unit in _LEVELS.values():
        figure = _figure(analysis[field], unit) or NOTHING
        _column(text, unit, figure.rjust(_COLUMNS[unit]))
    _column(text, "clock", clock(analysis["duration_s"]).rjust(_COLUMNS["clock"]), "dim")
    if note:
        text.append(f"{_GAP}{note}", "dim italic")
    return text


def block(name: str, analysis: Fields, note: str = "", *, verbose: bool = False) -> Text:
    """Return a song in several lines; `verbose` adds candidates, tuning and profile."""
    text = Text().append(name, "bold")
    text.append(f"  {clock(analysis['duration_s'])}", "dim")
    if note:
        text.append(f"  {note}", "dim italic")
    tempo = Text().append(_tempo(analysis).ljust(_LEAD), "bold cyan")
    if analysis["tempo_bpm"] is not None:
        tempo.append_text(_meter(analysis["tempo_confidence"]))
        beats, bars = len(analysis["beats_s"]), len(analysis["downbeats_s"])
        tempo.append(f"{_GAP}{analysis['time_signature'] or ''}")
        tempo.append(f"{_GAP}{beats} beats, {bars} bars", "dim")
    key = _key(analysis, "no key", _LEAD)
    if analysis["key"]:
        key.append_text(_meter(analysis["key_confidence"]))
    loudness = Text((_figure(analysis["loudness_lufs"], "LUFS") or "no loudness").ljust(_LEAD))
    for label in ("range", "true peak"):
        field, unit = _LEVELS[label]
        loudness.append(f"{label} ", "dim")
        loudness.append(f"{_figure(analysis[field], unit) or NOTHING}{_GAP}")
    facts = [("tempo", tempo), ("key", key), ("loudness", loudness)]
    if len(analysis["tempo_stretches"]) > 1:
        facts.insert(1, ("stretches", _stretches(analysis)))
    if analysis["sections"]:
        facts.append(("sections", _sections(analysis)))
    for label, value in facts + (_details(analysis) if verbose else []):
        value.rstrip()
        text.append(f"\n  {label:<12}", "dim").append_text(value)
    return text


def _stretches(analysis: Fields) -> Text:
    """Return the times and tempi of the parts of a song whose beats jump."""
    return _joined(
        f"{clock(one['start_s'])} {one['tempo_bpm']:.2f} BPM" for one in analysis["tempo_stretches"]
    )


def _sections(analysis: Fields) -> Text:
    """Return the starts of the sections with their letters and roles."""
    return _joined(
        f"{clock(one['start_s'])} {one['label']} {one['role'] or ''}".rstrip()
        for one in analysis["sections"]
    )


def _details(analysis: Fields) -> list[tuple[str, Text]]:
    tempi = [
        f"{one['tempo_bpm']:.2f} ({one['score']:.2f})"
        for one in analysis["tempo_candidates"]
        if one["score"] >= _LEAST_SCORE
    ]
    keys = [
        f"{one['key']} {one['camelot']} ({one['score']:.2f})"
        for one in analysis["key_candidates"]
        if one["score"] >= _LEAST_SCORE
    ]
    tuning = analysis["tuning_cents"]
    beats, bars = (_percent(analysis[f"{one}_confidence"]) for one in ("beat", "bar"))
    chords = [one["label"] for one in analysis["chords"][:_SHOWN_CHORDS]]
    cues = [f"{clock(one['time_s'])} {one['kind']}" for one in analysis["cue_points"]]
    sung_s = sum(one["stop_s"] - one["start_s"] for one in analysis["singing"])
    return [
        ("confidence", Text(f"beats {beats}, bars {bars}")),
        ("tempi", _joined(tempi)),
        ("keys", _joined(keys[:6])),
        ("key profile", Text(analysis["key_profile"] or NOTHING)),
        (
            "tuning",
            Text(NOTHING if tuning is None else f"{round(tuning):+d} cents from A = 440 Hz"),
        ),
        ("chords", _joined([*chords, *["…"] * (len(analysis["chords"]) > _SHOWN_CHORDS)])),
        ("singing", Text(f"{sung_s:.0f} s" if analysis["singing_known"] else NOTHING)),
        ("cue points", _joined(cues)),
    ]


def _joined(words: Iterable[str]) -> Text:
    return Text(", ".join(words) or NOTHING)


def _tempo(analysis: Fields) -> str:
    tempo_bpm = analysis["tempo_bpm"]
    if tempo_bpm is None:
        return "no tempo"
    varies = analysis["tempo_stable"] is False
    return f"~{tempo_bpm:.1f} BPM varies" if varies else f"{tempo_bpm:.2f} BPM"


def _key(analysis: Fields, otherwise: str = "", width: int = 0) -> Text:
    """Return the key, with its Camelot number in the color of its place on the wheel."""
    if not analysis["key"]:
        return Text(otherwise.ljust(width))
    text = Text()
    text.append(f"{analysis['key']} ", "bold")
    text.append(analysis["camelot"], _wheel_style(analysis["camelot"]))
    return text.append(" " * max(0, width - len(text)))


def _wheel_style(camelot: str) -> Style:
    """Return one of twelve hues around the wheel; neighbors, which mix well, look alike."""
    try:
        hue = (int(camelot[:-1]) - 1) / 12
    except ValueError:
        return Style()
    rgb = (255 * part for part in hls_to_rgb((hue + 0.45) % 1, 0.62, 0.6))
    return Style(color=Color.from_rgb(*rgb), bold=True)


def _meter(share: float) -> Text:
    filled = round(share * _METER_CELLS)
    color = "green" if share >= 0.6 else "yellow" if share >= 0.3 else "red"
    text = Text().append("━" * filled, color)
    text.append("┄" * (_METER_CELLS - filled), "bright_black")
    return text.append(f" {_percent(share)}", "dim")


def _column(text: Text, name: str, value: str, style: str = "", gap: str = _GAP) -> None:
    text.append(gap)
    text.append(value.ljust(_COLUMNS[name]), style)


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.1f} {unit}"


def _percent(share: float, known: bool = True) -> str:
    return f"{share:.0%}" if known else ""


def _shortened(name: str, width: int) -> str:
    """Shorten a name at its beginning, because its end identifies it."""
    return name if len(name) <= width else f"…{name[1 - width :]}"
