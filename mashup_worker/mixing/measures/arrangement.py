"""Measurements of the arrangement: vocal level, overlapping stems, and sound outside of clips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.mixing.measures.tracks import sum_stems
from mashup_worker.mixing.song import power_to_lufs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.tracks import StemTrack
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import LoudnessEnvelope

MAX_OUTSIDE_DBFS = -90.0
MIN_LIFT_LU, MAX_LIFT_LU = -1.0, 5.0
LIFT = "vocals over accompaniment"
MAX_OVERLAP_S = 0.5
BASS_HZ = 25.0, 150.0
BASS_MASKED_DB = 12.0
"""Level difference beyond which the weaker of two basses does not count."""

_EDGE_S = 0.010
_STEPS_PER_SECOND = 20
_BLOCK_STEPS = 8
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_SINGING_BELOW_LOUD_DB = -20.0
_BASS_WINDOW_S = 0.2
_NO_BASS_BELOW_LOUDEST_DB = -30.0
_FRAMES_PER_FFT = 256


def outside_clips(track: StemTrack, plan: Plan) -> Measurement:
    """Measure the peak of a stem outside its clips: -90 dBFS at most.

    The 10 ms beside each clip are excluded, since click-free edges begin early.
    """
    name = f"{track.name}: outside its clips"
    wanted = f"<= {MAX_OUTSIDE_DBFS:g} dBFS"
    sample_rate, audio = track.audio.sample_rate, track.audio
    peak, where_s, at_s = 0.0, 0.0, 0.0
    for start_s, stop_s in (*clip_spans_s(track, plan), (math.inf, math.inf)):
        first = math.ceil((at_s + _EDGE_S) * sample_rate) if at_s else 0
        last = audio.length_samples
        if start_s < math.inf:
            last = min(last, math.floor((start_s - _EDGE_S) * sample_rate))
        if last > first:
            highest, index = audio.samples[:, first:last].abs().amax(dim=0).max(dim=0)
            if float(highest) > peak:
                peak, where_s = float(highest), (first + int(index)) / sample_rate
        at_s = max(at_s, stop_s)
    peak_dbfs = 20 * math.log10(peak) if peak > 0 else -math.inf
    passed = peak_dbfs <= MAX_OUTSIDE_DBFS
    detail = "" if passed else f"at {where_s:.2f} s"
    return Measurement(name, peak_dbfs, "dBFS", wanted=wanted, passed=passed, detail=detail)


def clip_spans_s(track: StemTrack, plan: Plan) -> list[tuple[float, float]]:
    """Return the times at which clips of a stem begin and end in a plan, in ascending order."""
    names = {
        name
        for name, source in plan.sources.items()
        if (source.song, source.kind) == (track.song, track.kind)
    }
    clips = [clip for clip in plan.clips if clip.source in names]
    grid = plan.grid
    return sorted((grid.time_at(clip.at_bar), grid.time_at(clip.end_bar)) for clip in clips)


def vocal_lift(
    vocals: LoudnessEnvelope | None, accompaniment: LoudnessEnvelope | None, *, judged: bool
) -> Measurement:
    """Measure the loudness of vocals above everything else while they sing: -1 to +5 LU.

    Both are K-weighted mean squares of the 400 ms blocks in which the vocals pass the gates of
    integrated loudness: -70 LUFS, and 10 LU below the mean of the blocks that pass it.
    """
    name, wanted = LIFT, f"{MIN_LIFT_LU:g} to +{MAX_LIFT_LU:g} LU"
    if vocals is None or accompaniment is None:
        missing = "vocals" if vocals is None else "accompaniment"
        return Measurement(name, None, "LU", wanted=wanted, detail=f"no {missing} among the stems")
    sung, other = (_blocks(envelope.powers) for envelope in (vocals, accompaniment))
    length = min(len(sung), len(other))
    sung, other = sung[:length], other[:length]
    gate = 10 ** (_ABSOLUTE_GATE_LUFS / 10)
    used = sung > gate
    if not bool(used.any()):
        return Measurement(name, None, "LU", wanted=wanted, detail="silent vocals")
    used &= sung > sung[used].mean() * 10 ** (_RELATIVE_GATE_LU / 10)
    used &= other > gate
    if not bool(used.any()):
        return Measurement(
            name, None, "LU", wanted=wanted, detail="no accompaniment during the vocals"
        )
    lift = power_to_lufs(float(sung[used].mean())) - power_to_lufs(float(other[used].mean()))
    detail = f"over {int(used.sum()) / _STEPS_PER_SECOND:.0f} s of singing"
    passed = MIN_LIFT_LU <= lift <= MAX_LIFT_LU if judged else None
    return Measurement(name, lift, "LU", wanted=wanted, passed=passed, detail=detail)


def bass_overlap(songs: Mapping[str, Sequence[StemTrack]]) -> Measurement:
    """Measure the longest time for which two songs play bass at once: 0.5 s at most.

    Bass is the energy from 25 to 150 Hz in windows of 0.2 s, of all stems of a song but vocals and
    drums. Two basses overlap where they are within 12 dB of each other and within 30 dB of the
    loudest bass of the mashup. The limit allows for a swap on a downbeat.
    """
    name, powers = "two basses at once", []
    for tracks in songs.values():
        pitched = sum_stems([track for track in tracks if track.is_pitched_instrument])
        if pitched is not None:
            powers.append(_bass_powers(pitched))
    if not powers:
        return _overlap_measurement(name, None, "no stems with bass")
    loudest = max(float(one.max()) if len(one) else 0.0 for one in powers)
    floor = loudest * 10 ** (_NO_BASS_BELOW_LOUDEST_DB / 10)
    worst = _Overlap()
    for left, right in combinations(powers, 2):
        length = min(len(left), len(right))
        pair = torch.stack([left[:length], right[:length]])
        low, high = pair.amin(dim=0), pair.amax(dim=0)
        both = (low > floor) & (low > high * 10 ** (-BASS_MASKED_DB / 10))
        worst = max(worst, _longest(both, _BASS_WINDOW_S / 2), key=lambda one: one.length_s)
    return _overlap_measurement(name, worst)


def vocal_overlap(vocals: Mapping[str, LoudnessEnvelope], *, allowed: bool) -> Measurement:
    """Measure the longest time for which lead vocals of two songs sing at once: 0.5 s at most.

    Vocals sing while a block of 400 ms is within 20 dB of their own loud moments. The limit allows
    for breaths and echoes; it does not apply where two vocals were requested.
    """
    name = "two vocals at once"
    if not vocals:
        return _overlap_measurement(name, None, "no vocals among the stems")
    singing = [
        _blocks(envelope.powers) > envelope.loud_power * 10 ** (_SINGING_BELOW_LOUD_DB / 10)
        for envelope in vocals.values()
        if envelope.loud_power > 0
    ]
    worst = _Overlap()
    for left, right in combinations(singing, 2):
        length = min(len(left), len(right))
        both = _longest(left[:length] & right[:length], 1 / _STEPS_PER_SECOND)
        worst = max(worst, both, key=lambda one: one.length_s)
    found = _overlap_measurement(name, worst)
    if not allowed:
        return found
    return Measurement(name, found.value, found.unit, detail=f"{found.detail} requested")


@dataclass(frozen=True)
class _Overlap:
    start_s: float = 0.0
    length_s: float = 0.0


def _overlap_measurement(name: str, worst: _Overlap | None, reason: str = "") -> Measurement:
    wanted = f"<= {MAX_OVERLAP_S:g} s"
    if worst is None:
        return Measurement(name, None, "s", wanted=wanted, detail=reason)
    detail = f"at {worst.start_s:.1f} s" if worst.length_s else ""
    return Measurement(
        name,
        worst.length_s,
        "s",
        wanted=wanted,
        passed=worst.length_s <= MAX_OVERLAP_S,
        detail=detail,
    )


def _blocks(powers: Tensor) -> Tensor:
    """Return the mean power of blocks of 400 ms, every 50 ms."""
    if len(powers) < _BLOCK_STEPS:
        return powers[:0]
    return powers.unfold(0, _BLOCK_STEPS, 1).mean(dim=1)


def _bass_powers(audio: Audio) -> Tensor:
    """Return the power from 25 to 150 Hz in windows of 0.2 s, every 0.1 s."""
    hop = max(1, round(audio.sample_rate * _BASS_WINDOW_S / 2))
    mono = audio.samples.mean(dim=0)
    mono = F.pad(mono, (0, max(0, 2 * hop - len(mono))))
    window = torch.hann_window(2 * hop, device=mono.device)
    hz = torch.fft.rfftfreq(2 * hop, 1 / audio.sample_rate)
    lowest_hz, highest_hz = BASS_HZ
    bins = slice(int((hz < lowest_hz).sum()), int((hz <= highest_hz).sum()))
    frames = mono.unfold(0, 2 * hop, hop)
    powers = [
        torch.fft.rfft(some * window)[:, bins].abs().square().sum(dim=1)
        for some in frames.split(_FRAMES_PER_FFT)
    ]
    return torch.cat(powers).cpu()


def _longest(marked: Tensor, step_s: float) -> _Overlap:
    edges = F.pad(marked.to(torch.int8), (1, 1)).diff()
    starts, stops = (torch.nonzero(edges == sign)[:, 0] for sign in (1, -1))
    if not len(starts):
        return _Overlap()
    longest = int((stops - starts).argmax())
    return _Overlap(float(starts[longest]) * step_s, float((stops - starts)[longest]) * step_s)
