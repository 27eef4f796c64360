"""Tempo maps as standard MIDI files: tempi, time signatures and markers, without notes.

Source: MIDI Manufacturers Association, "Standard MIDI Files 1.0", RP-001.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mashup_worker.exports.markers import Marker
    from mashup_worker.exports.tempo_map import TempoMap

TICKS_PER_QUARTER = 960
_TOLERANCE_S = 2e-4
_TRACK_NAME, _MARKER, _END, _TEMPO, _TIME_SIGNATURE = 0x03, 0x06, 0x2F, 0x51, 0x58
_MIDI_CLOCKS, _THIRTY_SECONDS = 24, 8
_US_PER_MINUTE = 60e6


def write_tempo_map(target: Path, beats: TempoMap, markers: Sequence[Marker], title: str) -> None:
    """Write the tempi, time signatures and markers of a song; tick 0 is bar 1.

    Raises:
        StorageFailed: the file cannot be written.
    """
    ticks_per_beat = round(TICKS_PER_QUARTER * beats.quarters_per_beat)
    events = [(0, _meta(_TRACK_NAME, title.encode(errors="replace")))]
    for beat, length in beats.bar_lengths:
        numerator = round(length * beats.numerator / beats.beats_per_bar)
        power = beats.denominator.bit_length() - 1
        signature = bytes((numerator, power, _MIDI_CLOCKS, _THIRTY_SECONDS))
        events.append((beat * ticks_per_beat, _meta(_TIME_SIGNATURE, signature)))
    quarters = beats.quarters_per_beat

    def representable(tempo_bpm: float) -> float:
        """Return the nearest tempo whose quarter lasts whole microseconds."""
        return _US_PER_MINUTE / round(_US_PER_MINUTE / (tempo_bpm * quarters)) / quarters

    for one in beats.segments(_TOLERANCE_S, representable=representable):
        us = round(_US_PER_MINUTE / (one.tempo_bpm * quarters))
        events.append((one.beat * ticks_per_beat, _meta(_TEMPO, us.to_bytes(3, "big"))))
    for marker in markers:
        at = max(0, round(beats.beat_at(marker.start_s) * ticks_per_beat))
        events.append((at, _meta(_MARKER, marker.name.encode())))
    end = (len(beats.beats_s) - 1) * ticks_per_beat
    events.append((max(end, *(at for at, _ in events)), _meta(_END, b"")))
    track = _track(sorted(events, key=lambda event: event[0]))
    head = b"MThd" + pack(">IHHH", 6, 0, 1, TICKS_PER_QUARTER)
    write_atomically(target, head + b"MTrk" + pack(">I", len(track)) + track)


def _track(events: Iterable[tuple[int, bytes]]) -> bytes:
    data, last = b"", 0
    for at, event in events:
        data += _variable_length(at - last) + event
        last = at
    return data


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    """Return a number in groups of seven bits, of which all but the last are marked."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
