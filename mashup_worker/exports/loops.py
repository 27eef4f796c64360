"""Loops: bars of stems that repeat without a click, for samplers and grooveboxes.

Each loop lasts a whole number of bars to the sample, so that it stays in time. Its first sample is
near a bar line, at a zero crossing that resembles the end, and the end is blended into what
precedes the first sample.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.song import ExportTrack, require_beats, write_audio
from mashup_worker.exports.wav_chunks import Rhythm, acid_chunk, sampler_chunk
from mashup_worker.system.files import atomic_path
from mashup_worker.system.names import safe_name, safe_names

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.exports.song import ExportSong
    from mashup_worker.exports.tempo_map import TempoMap

LOOP_BARS = 4
_MAX_LOOPS = 8
"""Loops of one stem."""

_NAME_BYTES = 100
"""Of song and stem, which a name has both of."""

_SEARCH_S, _BLEND_S = 0.01, 0.004
_AUDIBLE = 10 ** (-50 / 20)
"""RMS of the quietest bar of a loop."""


def write_loops(song: ExportSong, folder: Path) -> list[Path]:
    """Write loops of each stem, or of the whole, into a folder of their own; all or none.

    Raises:
        InvalidInput: the song has no beat, no sound, or too few bars.
        StorageFailed: a file cannot be written.
    """
    beats = require_beats(song, "a loop")
    tracks = song.tracks or (ExportTrack(name="mix", kind="mix", source=song.mix),)
    found: list[Path] = []
    names = safe_names((track.name for track in tracks), _NAME_BYTES)
    with ExitStack() as files:
        for track, name in zip(tracks, names, strict=True):
            audio = track.audio()
            bars = _audible(audio, beats, _spans(song, beats))
            found += [_write_loop(song, name, audio, beats, one, folder, files) for one in bars]
    if not found:
        raise InvalidInput(f"{song.title}: no {LOOP_BARS} bars that sound; loops need them")
    return found


def _write_loop(
    song: ExportSong,
    name: str,
    audio: Audio,
    beats: TempoMap,
    bars: range,
    folder: Path,
    files: ExitStack,
) -> Path:
    """Write a loop to a temporary file, which gets its name when `files` ends."""
    samples = cut_loop(audio, beats.bar_times_s[bars.start], beats.bar_times_s[bars.stop])
    count = beats.bars[bars.stop] - beats.bars[bars.start]
    tempo_bpm = 60 * count * audio.sample_rate / samples.shape[1]
    whose = f"{safe_name(song.name, _NAME_BYTES)} {name}"
    title = f"{whose} {tempo_bpm:.0f} BPM bars {bars.start + 1}-{bars.stop}"
    target = folder / f"{song.name} loops" / f"{title}.wav"
    tags = song.music_tags.of_stem(name).with_music(tempo_bpm, song.key, song.camelot)
    rhythm = Rhythm(
        beats=count, tempo_bpm=tempo_bpm, numerator=beats.numerator, denominator=beats.denominator
    )
    whole = range(samples.shape[1])
    chunks = [sampler_chunk(audio.sample_rate, song.key, whole)]
    chunks.append(acid_chunk(rhythm, song.key, is_loop=True))
    temporary = files.enter_context(atomic_path(target))
    loop = Audio(samples, audio.sample_rate)
    write_audio(target, loop, tags, chunks=chunks, temporary=temporary)
    return target


def cut_loop(audio: Audio, start_s: float, stop_s: float) -> Tensor:
    """Return the samples between two times as a loop, `(channels, samples)`.

    It is moved by at most 10 ms, inside the sound, and lasts `stop_s - start_s` to the sample.
    """
    rate = audio.sample_rate
    length = round(stop_s * rate) - round(start_s * rate)
    reach, blend = round(_SEARCH_S * rate), round(_BLEND_S * rate)
    first = max(blend, round(start_s * rate) - reach)
    last = min(audio.length_samples - length, round(start_s * rate) + reach)
    start = _best_start(audio.samples, first, max(first, last), length)
    loop = audio.samples[:, start : start + length].clone()
    before = audio.samples[:, max(0, start - blend) : start]
    size = min(before.shape[1], length)
    if size:
        share = (torch.arange(size) + 1) / (size + 1)
        loop[:, -size:] = torch.lerp(loop[:, -size:], before[:, -size:], share)
    return loop


def _best_start(samples: Tensor, first: int, last: int, length: int) -> int:
    """Return the rising zero crossing whose sound most resembles that `length` samples later."""
    mono = samples[:, first - 1 : last + 1].mean(dim=0)
    crossings = torch.nonzero((mono[:-1] <= 0) & (mono[1:] > 0))[:, 0]
    if not len(crossings):
        return first + int(mono[1:].abs().argmin())
    starts = first + crossings
    ends = (starts + length).clamp_max(samples.shape[1] - 1)
    jumps = (samples[:, starts] - samples[:, ends]).abs().sum(dim=0)
    return int(starts[jumps.argmin()])


def _spans(song: ExportSong, beats: TempoMap) -> list[range]:
    """Return the bars of loops: those of the analysis, at sections, or every four bars."""
    first, last = bisect_left(beats.bar_times_s, 0.0), len(beats.bars) - 1
    loops = () if song.analysis is None else song.analysis.loops
    starts = [(beats.nearest_bar(one.start_s), one.bars) for one in loops]
    if not starts:
        sections = [one.start_s for one in song.markers if one.kind == "section"]
        starts = [(beats.nearest_bar(start_s), LOOP_BARS) for start_s in sections]
    starts = starts or [(bar, LOOP_BARS) for bar in range(first, last, LOOP_BARS)]
    spans = [range(bar, bar + bars) for bar, bars in dict.fromkeys(starts)]
    return [one for one in spans if first <= one.start and one.stop <= last]


def _audible(audio: Audio, beats: TempoMap, spans: list[range]) -> list[range]:
    """Return the first loops that sound in each bar and lie inside the sound."""
    edges = [round(time_s * audio.sample_rate) for time_s in beats.bar_times_s]
    loud = [
        stop <= audio.length_samples
        and float(audio.samples[:, max(0, start) : stop].square().mean().sqrt()) > _AUDIBLE
        for start, stop in pairwise(edges)
    ]
    return [one for one in spans if all(loud[one.start : one.stop])][:_MAX_LOOPS]
