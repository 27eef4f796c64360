"""Synthesized songs: a small band that repeats four bars.

Speed hardly depends on the content, but the analysis needs a beat, the planner a song to arrange,
and half precision both loud and quiet passages.
"""

from __future__ import annotations

import torch

from mashup_worker.audio.signal import Audio

RATE_HZ = 44_100
KINDS = ("drums", "bass", "other", "vocals")

_GAIN = 0.7
"""Keeps the mix below full scale."""

_BARS, _BEATS = 4, 4
_ROOTS_HZ = (110.0, 87.31, 130.81, 98.0)
_MINOR, _MAJOR = (1.0, 6 / 5, 3 / 2), (1.0, 5 / 4, 3 / 2)
_MELODY = (2.0, 9 / 4, 5 / 2, 2.0, 3.0, 5 / 2, 9 / 4, 2.0)


def stems(duration_s: float, tempo_bpm: float = 120.0, seed: int = 0) -> dict[str, Audio]:
    """Return drums, bass, other and vocals of a song, stereo at 44.1 kHz, fixed by the seed."""
    generator = torch.Generator().manual_seed(seed)
    beat = round(60 / tempo_bpm * RATE_HZ)
    loops = {
        "drums": _drums(beat, generator),
        "bass": _bass(beat),
        "other": _chords(beat),
        "vocals": _voice(beat),
    }
    wanted = round(duration_s * RATE_HZ)
    return {kind: Audio(_stereo(loop, wanted, kind), RATE_HZ) for kind, loop in loops.items()}


def song(duration_s: float, tempo_bpm: float = 120.0, seed: int = 0) -> Audio:
    """Return the band's mix, shape `(2, samples)`."""
    played = stems(duration_s, tempo_bpm, seed)
    return Audio(sum((one.samples for one in played.values()), torch.zeros(())), RATE_HZ)


def _stereo(loop: torch.Tensor, wanted: int, kind: str) -> torch.Tensor:
    times = -(-wanted // len(loop))
    left = {"drums": 1.0, "bass": 1.0, "other": 0.7, "vocals": 1.0}[kind]
    right = {"drums": 0.9, "bass": 1.0, "other": 1.0, "vocals": 1.0}[kind]
    samples = _GAIN * loop.repeat(times)[:wanted]
    return torch.stack([left * samples, right * samples]).contiguous()


def _time_s(samples: int) -> torch.Tensor:
    return torch.arange(samples) / RATE_HZ


def _tone(frequency_hz: float, samples: int, harmonics: int) -> torch.Tensor:
    phase = 2 * torch.pi * frequency_hz * _time_s(samples)
    return torch.stack([(n * phase).sin() / n for n in range(1, harmonics + 1)]).sum(0)


def _place(loop: torch.Tensor, start: int, sound: torch.Tensor) -> None:
    stop = min(len(loop), start + len(sound))
    loop[start:stop] += sound[: stop - start]


def _drums(beat: int, generator: torch.Generator) -> torch.Tensor:
    loop = torch.zeros(_BARS * _BEATS * beat)
    time_s = _time_s(beat)
    fall_hz = 50 + 80 * torch.exp(-time_s * 40)
    kick = torch.sin(2 * torch.pi * torch.cumsum(fall_hz, 0) / RATE_HZ) * torch.exp(-time_s * 9)
    noise = torch.randn(beat, generator=generator)
    snare = 0.4 * noise * torch.exp(-time_s * 18)
    hat = 0.12 * torch.diff(noise, prepend=noise[:1]) * torch.exp(-time_s * 60)
    for at in range(_BARS * _BEATS):
        _place(loop, at * beat, 0.5 * (kick if at % 2 == 0 else snare))
        for half in (0, beat // 2):
            _place(loop, at * beat + half, hat)
    return loop


def _bass(beat: int) -> torch.Tensor:
    loop = torch.zeros(_BARS * _BEATS * beat)
    fade = torch.exp(-_time_s(beat) * 4)
    for at in range(_BARS * _BEATS):
        note = _tone(_ROOTS_HZ[at // _BEATS] / 2, beat, 3)
        _place(loop, at * beat, 0.2 * note * fade)
    return loop


def _chords(beat: int) -> torch.Tensor:
    bar = _BEATS * beat
    time_s = _time_s(bar)
    swell = (1 - torch.exp(-time_s * 12)) * torch.exp(-time_s)
    return torch.cat(
        [
            0.06
            * swell
            * torch.stack(
                [_tone(2 * root * step, bar, 5) for step in (_MAJOR if index else _MINOR)]
            ).sum(0)
            for index, root in enumerate(_ROOTS_HZ)
        ]
    )


def _voice(beat: int) -> torch.Tensor:
    loop = torch.zeros(_BARS * _BEATS * beat)
    time_s = _time_s(beat)
    shape = (1 - torch.exp(-time_s * 30)) * torch.exp(-time_s * 2)
    sway = 0.01 * torch.sin(2 * torch.pi * 5.5 * time_s).cumsum(0) / RATE_HZ
    for at in range((_BARS - 1) * _BEATS):  # it breathes in the fourth bar
        pitch_hz = _ROOTS_HZ[0] * _MELODY[at % len(_MELODY)] * 2
        phase = 2 * torch.pi * pitch_hz * (time_s + sway)
        note = torch.stack([(n * phase).sin() / n**1.5 for n in range(1, 9)]).sum(0)
        _place(loop, at * beat, 0.18 * note * shape)
    return loop
