"""Whether the parts of a mashup leave each other room, and play only where they were planned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.mixing.measures.tracks import together
from mashup_worker.mixing.song import lufs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.tracks import StemTrack
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import Levels

SILENT_DBFS = -90.0
LEAST_LIFT_LU, MOST_LIFT_LU = -1.0, 5.0
BASS_BELOW_HZ, BASSES_APART_DB = 150.0, 12.0
LONGEST_CLASH_S = 0.5

_EDGE_S = 0.010
_STEPS_PER_SECOND = 20
_BLOCK_STEPS = 8
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_SINGING_BELOW_LOUD_DB = -20.0
_BASS_WINDOW_S = 0.2
_LOWEST_HZ = 25.0
_NO_BASS_BELOW_LOUDEST_DB = -30.0


def outside_clips(track: StemTrack, plan: Plan) -> Measurement:
    """The peak of a stem where no clip of it plays: silent, which is -90 dBFS or less.

    Ten milliseconds beside clips are left out: edges that must not click come in a little early.
    """
    name = f"{track.name}: outside its clips"
    wanted = f"<= {SILENT_DBFS:g} dBFS"
    rate_hz, audio = track.audio.rate_hz, track.audio
    peak, where_s, at_s = 0.0, 0.0, 0.0
    for start_s, stop_s in (*clip_spans_s(track, plan), (math.inf, math.inf)):
        first = math.ceil((at_s + _EDGE_S) * rate_hz) if at_s else 0
        last = audio.length_samples
        if start_s < math.inf:
            last = min(last, math.floor((start_s - _EDGE_S) * rate_hz))
        if last > first:
            highest, index = audio.samples[:, first:last].abs().amax(dim=0).max(dim=0)
            if float(highest) > peak:
                peak, where_s = float(highest), (first + int(index)) / rate_hz
        at_s = max(at_s, stop_s)
    peak_dbfs = 20 * math.log10(peak) if peak > 0 else -math.inf
    detail = f"at {where_s:.2f} s" if peak_dbfs > SILENT_DBFS else ""
    return Measurement(name, peak_dbfs, "dBFS", wanted, peak_dbfs <= SILENT_DBFS, detail)


def clip_spans_s(track: StemTrack, plan: Plan) -> list[tuple[float, float]]:
    """When clips of a stem play, by the plan; in order."""
    names = {
        name
        for name, source in plan.sources.items()
        if (source.song, source.kind) == (track.song, track.kind)
    }
    clips = [clip for clip in plan.clips if clip.source in names]
    bar_s = plan.grid.bar_s
    return sorted((clip.at_bar * bar_s, clip.end_bar * bar_s) for clip in clips)


def voice_lift(voices: Levels | None, accompaniment: Levels | None, judged: bool) -> Measurement:
    """How much louder the voices are than everything else while they sing: -1 to +5 LU.

    Both are K-weighted mean squares over the moments of singing: the 400 ms that pass the gates of
    integrated loudness (-70 LUFS, and 10 LU below what passes that) in the voices alone.
    """
    name, wanted = "voice over accompaniment", f"{LEAST_LIFT_LU:g} to +{MOST_LIFT_LU:g} LU"
    if voices is None or accompaniment is None:
        what = "voices" if voices is None else "accompaniment"
        return Measurement(name, None, "LU", wanted, detail=f"no {what} among the stems")
    sung, other = (_blocks(levels.powers) for levels in (voices, accompaniment))
    length = min(len(sung), len(other))
    sung, other = sung[:length], other[:length]
    gate = 10 ** (_ABSOLUTE_GATE_LUFS / 10)
    heard = sung > gate
    if not bool(heard.any()):
        return Measurement(name, None, "LU", wanted, detail="nobody sings")
    heard &= sung > sung[heard].mean() * 10 ** (_RELATIVE_GATE_LU / 10)
    heard &= other > gate
    if not bool(heard.any()):
        return Measurement(name, None, "LU", wanted, detail="the voices are alone")
    lift = lufs(float(sung[heard].mean())) - lufs(float(other[heard].mean()))
    detail = f"over {int(heard.sum()) / _STEPS_PER_SECOND:.0f} s of singing"
    passed = LEAST_LIFT_LU <= lift <= MOST_LIFT_LU if judged else None
    return Measurement(name, lift, "LU", wanted, passed, detail)


def one_bass(songs: Mapping[str, Sequence[StemTrack]]) -> Measurement:
    """The longest time for which two songs have bass at once: 0.5 s or less.

    Bass is the energy from 25 to 150 Hz in windows of 0.2 s, of all stems of a song but voices and
    drums. Two are there at once where they are within 12 dB of each other, and within 30 dB of the
    loudest bass of the mashup; the limit leaves room for a swap on a downbeat.
    """
    bands = {}
    for song, tracks in songs.items():
        pitched = together([track for track in tracks if track.has_pitch])
        if pitched is not None:
            bands[song] = _bass_powers(pitched)
    if not bands:
        return _clash("two basses at once", None, "no stems with bass")
    loudest = max(float(band.max()) if len(band) else 0.0 for band in bands.values())
    floor = loudest * 10 ** (_NO_BASS_BELOW_LOUDEST_DB / 10)
    worst = _Stretch()
    for left, right in combinations(bands.values(), 2):
        length = min(len(left), len(right))
        pair = torch.stack([left[:length], right[:length]])
        low, high = pair.amin(dim=0), pair.amax(dim=0)
        both = (low > floor) & (low > high * 10 ** (-BASSES_APART_DB / 10))
        worst = max(worst, _longest(both, _BASS_WINDOW_S / 2), key=lambda one: one.length_s)
    return _clash("two basses at once", worst)


def one_voice(voices: Mapping[str, Levels], allowed: bool) -> Measurement:
    """The longest time for which lead voices of two songs sing at once: 0.5 s or less.

    A voice sings while 400 ms of it are within 20 dB of its own loud moments; the limit leaves room
    for breath and echoes. Only told where two voices were asked for.
    """
    if not voices:
        return _clash("two voices at once", None, "no voices among the stems")
    singing = [
        _blocks(levels.powers) > levels.loud_power * 10 ** (_SINGING_BELOW_LOUD_DB / 10)
        for levels in voices.values()
        if levels.loud_power > 0
    ]
    worst = _Stretch()
    for left, right in combinations(singing, 2):
        length = min(len(left), len(right))
        both = _longest(left[:length] & right[:length], 1 / _STEPS_PER_SECOND)
        worst = max(worst, both, key=lambda one: one.length_s)
    told = _clash("two voices at once", worst)
    if not allowed:
        return told
    return Measurement(told.name, told.value, told.unit, "", None, f"{told.detail} asked for")


@dataclass(frozen=True)
class _Stretch:
    start_s: float = 0.0
    length_s: float = 0.0


def _clash(name: str, worst: _Stretch | None, why: str = "") -> Measurement:
    wanted = f"<= {LONGEST_CLASH_S:g} s"
    if worst is None:
        return Measurement(name, None, "s", wanted, detail=why)
    detail = f"at {worst.start_s:.1f} s" if worst.length_s else ""
    return Measurement(name, worst.length_s, "s", wanted, worst.length_s <= LONGEST_CLASH_S, detail)


def _blocks(powers: Tensor) -> Tensor:
    """Mean power of each 400 ms, every 50 ms."""
    if len(powers) < _BLOCK_STEPS:
        return powers[:0]
    return powers.unfold(0, _BLOCK_STEPS, 1).mean(dim=1)


def _bass_powers(audio: Audio) -> Tensor:
    """Power from 25 to 150 Hz in windows of 0.2 s, every 0.1 s."""
    hop = max(1, round(audio.rate_hz * _BASS_WINDOW_S / 2))
    mono = audio.samples.mean(dim=0)
    mono = F.pad(mono, (0, max(0, 2 * hop - len(mono))))
    window = torch.hann_window(2 * hop, device=mono.device)
    hz = torch.fft.rfftfreq(2 * hop, 1 / audio.rate_hz)
    bins = slice(int((hz < _LOWEST_HZ).sum()), int((hz <= BASS_BELOW_HZ).sum()))
    frames = mono.unfold(0, 2 * hop, hop)
    powers = [
        torch.fft.rfft(some * window)[:, bins].abs().square().sum(dim=1)
        for some in frames.split(256)
    ]
    return torch.cat(powers).cpu()


def _longest(marked: Tensor, step_s: float) -> _Stretch:
    """The longest row of marked steps."""
    edges = F.pad(marked.to(torch.int8), (1, 1)).diff()
    starts, stops = (torch.nonzero(edges == sign)[:, 0] for sign in (1, -1))
    if not len(starts):
        return _Stretch()
    longest = int((stops - starts).argmax())
    return _Stretch(float(starts[longest]) * step_s, float((stops - starts)[longest]) * step_s)
