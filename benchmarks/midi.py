"""Songs from MIDI files, rendered with FluidSynth: music that was not made for measuring.

Tempo, beats and bars are those that the file states; its key is not known.
"""

from __future__ import annotations

import subprocess
import tempfile
from bisect import bisect_right
from pathlib import Path

import mido
import numpy as np

from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from synth.song import Song, Truth

_DRUM_CHANNEL = 9


def render(path: Path, soundfont: Path, longest_s: float = 120.0) -> Song | None:
    """The song in a MIDI file; None where its tempo changes by more than 1 %.

    Needs the command `fluidsynth`.
    """
    midi = mido.MidiFile(path)
    tempi = _tempo_changes(midi)
    bpm = [60e6 / tempo for _, tempo in tempi]
    if max(bpm) > 1.01 * min(bpm):
        return None
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "song.wav"
        command = ["fluidsynth", "-ni", "-g", "0.5", "-r", "44100", "-F", str(wave)]
        subprocess.run([*command, str(soundfont), str(path)], check=True, capture_output=True)
        audio = decode(wave)
    mix = Audio(audio.samples[:, : round(longest_s * audio.sample_rate)], audio.sample_rate)
    return Song(path.stem, mix, {}, _truth(midi, tempi, mix.duration_s))


def _truth(midi: mido.MidiFile, tempi: list[tuple[int, int]], duration_s: float) -> Truth:
    notes = [
        (tick, message.channel)
        for tick, message in _events(midi)
        if message.type == "note_on" and message.velocity
    ]
    first, last = min(notes)[0], max(notes)[0]
    signatures = [
        (tick, message.numerator)
        for tick, message in _events(midi)
        if message.type == "time_signature"
    ]
    per_bar = signatures[0][1] if signatures else 4
    ticks = range(0, last + 1, midi.ticks_per_beat)
    beats = [(tick, _seconds(midi, tempi, tick)) for tick in ticks if tick >= first]
    heard = [(tick, time_s) for tick, time_s in beats if time_s < duration_s]
    bar = per_bar * midi.ticks_per_beat
    weights = np.diff([*(tick for tick, _ in tempi), last + 1])
    drums = sum(channel == _DRUM_CHANNEL for _, channel in notes)
    return Truth(
        tempo_bpm=float(np.average([60e6 / tempo for _, tempo in tempi], weights=weights)),
        beats_s=tuple(time_s for _, time_s in heard),
        downbeats_s=tuple(time_s for tick, time_s in heard if tick % bar == 0),
        beats_per_bar=per_bar,
        key=None,
        tuning_cents=0.0,
        has_drums=drums > len(notes) / 10,
        style="midi",
    )


def _events(midi: mido.MidiFile) -> list[tuple[int, mido.Message]]:
    """All messages with their ticks from the start."""
    events = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            events.append((tick, message))
    return events


def _tempo_changes(midi: mido.MidiFile) -> list[tuple[int, int]]:
    """Ticks and microseconds a beat, rising, from tick 0."""
    changes = {0: 500_000}
    for tick, message in sorted(_events(midi), key=lambda event: event[0]):
        if message.type == "set_tempo":
            changes[tick] = message.tempo
    return sorted(changes.items())


def _seconds(midi: mido.MidiFile, tempi: list[tuple[int, int]], tick: int) -> float:
    here = bisect_right(tempi, (tick, 1 << 62))
    spans = zip(tempi[:here], [*(start for start, _ in tempi[1:here]), tick], strict=True)
    return float(
        sum((stop - start) * tempo for (start, tempo), stop in spans) / midi.ticks_per_beat / 1e6
    )
