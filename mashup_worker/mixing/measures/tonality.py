"""Measurement of whether vocals and accompaniment are in one key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ, RATE_HZ, chroma
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from torch import Tensor

_BASS_SHARE = 0.5
_SUNG_SHARE = 0.3
_BLOCK_S = 1.0
_MIN_SUNG_S = 4.0
_MIN_CORRELATION = 0.4
_MARGIN, _FIFTH_MARGIN = 0.1, 0.25
_FIFTHS = 5, 7
_NAME, _UNIT, _WANTED = "key: vocals fit best at", "semitones", "0, or as good unshifted"


class KeyFit(NamedTuple):
    """Measurement of the key, and the agreement at 0 to 11 semitones up where it fails."""

    measurement: Measurement
    fits: tuple[float, ...] = ()


def key_fit(vocals: Audio | None, accompaniment: Audio | None, *, own_song: bool = False) -> KeyFit:
    """Measure the transposition at which vocals fit their accompaniment best: 0 semitones.

    Pitch classes of both while the vocals sing are correlated at all twelve transpositions, over
    the whole and second by second; the mean of both decides. Another transposition than 0 fails
    where its correlation is higher by more than 0.1, or by more than 0.25 for a fifth: such keys
    share six of seven notes, so a melody without the seventh fits both.

    Less than 4 s of singing, and correlations below 0.4, as with speech, are not judged, nor are
    vocals over the accompaniment of their `own_song`.
    """
    if vocals is None or accompaniment is None:
        missing = "vocals" if vocals is None else "accompaniment with pitch"
        return KeyFit(
            Measurement(_NAME, None, _UNIT, wanted=_WANTED, detail=f"no {missing} among the stems")
        )
    sung, played = (_pitch_classes(one) for one in (vocals, accompaniment))
    frames = min(sung.shape[1], played.shape[1])
    sung, played = sung[:, :frames], played[:, :frames]
    loudness = sung.sum(dim=0)
    used = loudness > _SUNG_SHARE * (loudness.quantile(0.9) if frames else 0.0)
    used &= played.sum(dim=0) > 0
    if float(used.sum()) < _MIN_SUNG_S * FRAME_RATE_HZ:
        reason = f"less than {_MIN_SUNG_S:g} s of singing with accompaniment"
        return KeyFit(Measurement(_NAME, None, _UNIT, wanted=_WANTED, detail=reason))
    fits = tuple(_fit(sung.roll(steps, dims=0)[:, used], played[:, used]) for steps in range(12))
    best = max(range(12), key=lambda steps: fits[steps])
    second = max(value for steps, value in enumerate(fits) if steps != best)
    margin = _FIFTH_MARGIN if best in _FIFTHS else _MARGIN
    detail = f"correlation {fits[best]:.2f}, next best {second:.2f}, unshifted {fits[0]:.2f}"
    is_judged = fits[best] >= _MIN_CORRELATION and not own_song
    passed = fits[best] - fits[0] <= margin if is_judged else None
    shift = float((best + 6) % 12 - 6)
    return KeyFit(
        Measurement(_NAME, shift, _UNIT, wanted=_WANTED, passed=passed, detail=detail),
        () if passed is not False else fits,
    )


def _pitch_classes(audio: Audio) -> Tensor:
    mono = Audio(audio.samples.mean(dim=0, keepdim=True).cpu(), audio.sample_rate)
    found = chroma(resample(mono, RATE_HZ).samples[0])
    return found.treble + _BASS_SHARE * found.bass


def _fit(sung: Tensor, played: Tensor) -> float:
    """Return the mean of the correlations over all frames and second by second."""
    whole = float(_correlation(sung.sum(dim=1, keepdim=True), played.sum(dim=1, keepdim=True)))
    size = round(_BLOCK_S * FRAME_RATE_HZ)
    blocks = sung.shape[1] // size
    by_second = [
        one[:, : blocks * size].unflatten(1, (blocks, size)).sum(dim=2) for one in (sung, played)
    ]
    weights = by_second[0].sum(dim=0)
    local = (_correlation(*by_second) * weights).sum() / weights.sum().clamp_min(1e-12)
    return 0.5 * (whole + float(local))


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Return the Pearson correlation of columns, 0 where one is constant."""
    left, right = (one - one.mean(dim=0) for one in (left, right))
    norms = left.norm(dim=0) * right.norm(dim=0)
    return torch.where(norms > 0, (left * right).sum(dim=0) / norms.clamp_min(1e-12), 0.0)
