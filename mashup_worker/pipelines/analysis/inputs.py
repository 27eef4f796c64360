"""Sound taken in block by block: measured at its own rate, and kept small for the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.analysis.onsets import RATE_HZ
from mashup_worker.audio.resample import StreamResampler
from mashup_worker.dsp.loudness import LoudnessCurve, LoudnessMeter
from mashup_worker.dsp.true_peak import TruePeakMeter
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource

_FAINT_SHARE = 0.05
_STEP_SAMPLES = RATE_HZ // 100
_SOUND_BELOW_LOUDEST_DB = -60.0
_SILENCE_DBFS = -80.0
_SPAN_SAMPLES = 1 << 18
_DRUMS, _VOCALS = "drums", "vocals"
_FAINTEST_DRUMS, _LEAST_DRUMS = 0.01, 0.35
_VOCAL_GAIN = 0.5
"""A voice glides and has its own tune: evidence for the key, not the base of it."""


@dataclass(frozen=True, eq=False)
class Levels:
    """How loud a sound is. None and empty curves as `LoudnessMeter` gives them."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    momentary: LoudnessCurve
    short_term: LoudnessCurve


class Meters:
    """Loudness and true peak of a stream, measured on a device."""

    def __init__(self, rate_hz: int, channels: int, device: torch.device) -> None:
        self._loudness = LoudnessMeter(rate_hz, channels)
        self._peak = TruePeakMeter(rate_hz)
        self._device = device

    def add(self, block: Tensor) -> None:
        """Take the next samples, shape `(channels, samples)`."""
        block = block.to(self._device)
        self._loudness.add(block)
        self._peak.add(block)

    def levels(self) -> Levels:
        """What was measured so far."""
        meter = self._loudness
        return Levels(
            integrated_lufs=meter.integrated_lufs(),
            range_lu=meter.loudness_range_lu(),
            true_peak_dbtp=self._peak.true_peak_dbtp(),
            momentary=meter.momentary_lufs(),
            short_term=meter.short_term_lufs(),
        )


class Ear:
    """A stream folded to one channel at the rate of the onset features.

    Folding takes the middle of a stereo sound, or its side where the middle cancels out.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._stream = StreamResampler(rate_hz, RATE_HZ, channels)
        self._parts: list[Tensor] = []

    def add(self, block: Tensor) -> None:
        """Take the next samples, shape `(channels, samples)`, on the CPU."""
        self._parts.append(_middle_and_side(self._stream.process(block)))

    def heard(self) -> Tensor:
        """The whole sound, shape `(samples,)` at `RATE_HZ`; to be asked for once, at the end."""
        rest = self._stream.process(torch.zeros(self._channels, 0), last=True)
        both = torch.cat([*self._parts, _middle_and_side(rest)], dim=1)
        self._parts.clear()
        if len(both) == 1:
            return both[0]
        middle, side = (float(part.square().sum()) for part in both)
        # A copy, so that the part that nobody wants does not stay in memory.
        return both[0 if middle >= _FAINT_SHARE * side else 1].clone()


@dataclass(frozen=True, eq=False)
class Parts:
    """What the features are taken from: sounds of one length, `(samples,)` at `RATE_HZ`.

    Attributes:
        rhythm: what carries tempo and beats.
        harmony: what carries key and chords.
        sounding_s: when the song begins and ends; None for nothing but silence.
    """

    rhythm: Tensor
    harmony: Tensor
    sounding_s: tuple[float, float] | None

    @staticmethod
    def of_mix(heard: Tensor) -> Parts:
        """All from one mix."""
        return Parts(heard, heard, sounding_span_s(heard))

    @staticmethod
    def of_stems(heard: Mapping[str, Tensor]) -> Parts:
        """From stems by kind: rhythm from drums that can be heard, harmony from what has pitch."""
        mix, pitched = torch.zeros_like(next(iter(heard.values()))), None
        for kind, sound in heard.items():
            mix += sound
            if kind != _DRUMS:
                gain = _VOCAL_GAIN if kind == _VOCALS else 1.0
                pitched = gain * sound if pitched is None else pitched.add_(sound, alpha=gain)
        drums = heard.get(_DRUMS)
        return Parts(
            rhythm=drums if drums is not None and _carries_rhythm(drums, mix) else mix,
            harmony=mix if pitched is None else pitched,
            sounding_s=sounding_span_s(mix),
        )


class StemEars:
    """Stems heard side by side, and their sum measured.

    Args:
        stems: the stems by kind, at least one; short ones are silent at the end.
        device: where loudness is measured.

    Raises:
        InvalidInput: the stems have different sample rates, or there are none.
    """

    def __init__(self, stems: Mapping[str, SampleSource], device: torch.device) -> None:
        rates_hz = {stem.rate_hz for stem in stems.values()}
        if len(rates_hz) != 1:
            different = ", ".join(f"{kind} {stem.rate_hz} Hz" for kind, stem in stems.items())
            raise InvalidInput(f"stems of one song have one sample rate: {different or 'no stems'}")
        self._stems = stems
        self._rate_hz = rates_hz.pop()
        self._length = max(stem.length_samples for stem in stems.values())
        self._channels = max(stem.channels for stem in stems.values())
        self._ears = {kind: Ear(self._rate_hz, self._channels) for kind in stems}
        self._meters = Meters(self._rate_hz, self._channels, device)

    @property
    def duration_s(self) -> float:
        """Length of the longest stem."""
        return self._length / self._rate_hz

    def listen(self, on_progress: Callable[[float], None] = lambda _share: None) -> None:
        """Read all stems, once; `on_progress` is called with the share done."""
        for start in range(0, self._length, _SPAN_SAMPLES):
            stop = min(self._length, start + _SPAN_SAMPLES)
            blocks = {kind: self._read(stem, start, stop) for kind, stem in self._stems.items()}
            for kind, block in blocks.items():
                self._ears[kind].add(block)
            self._meters.add(torch.stack(list(blocks.values())).sum(dim=0))
            on_progress(stop / self._length)

    def parts(self) -> Parts:
        """What the features are taken from; to be asked for once."""
        return Parts.of_stems({kind: ear.heard() for kind, ear in self._ears.items()})

    def levels(self) -> Levels:
        """How loud the sum of the stems is."""
        return self._meters.levels()

    def _read(self, stem: SampleSource, start: int, stop: int) -> Tensor:
        block = stem.read(min(start, stem.length_samples), min(stop, stem.length_samples)).cpu()
        return F.pad(block.expand(self._channels, -1), (0, stop - start - block.shape[1]))


def _carries_rhythm(drums: Tensor, mix: Tensor) -> bool:
    """Whether drums can be heard, and in enough of the song to go by."""
    return _rms(drums) >= _FAINTEST_DRUMS * _rms(mix) and _heard_share(
        drums
    ) >= _LEAST_DRUMS * _heard_share(mix)


def _heard_share(samples: Tensor) -> float:
    """Share of the seconds that are not silent beside the loudest."""
    count = len(samples) // RATE_HZ
    if count == 0:
        return 1.0
    power = samples[: count * RATE_HZ].unflatten(0, (count, RATE_HZ)).square().mean(dim=1)
    return float((power > 1e-4 * power.max()).float().mean())


def _rms(samples: Tensor) -> float:
    return float(samples.square().mean().sqrt()) if len(samples) else 0.0


def _middle_and_side(samples: Tensor) -> Tensor:
    if samples.shape[0] == 1:
        return samples
    left, right = samples
    return torch.stack([(left + right) / 2, (left - right) / 2])


def sounding_span_s(heard: Tensor) -> tuple[float, float] | None:
    """When sound at `RATE_HZ` begins and ends, leaving silence out; None for nothing but silence.

    Shape: `(samples,)`.
    """
    steps = len(heard) // _STEP_SAMPLES
    if steps == 0:
        return None
    power = heard[: steps * _STEP_SAMPLES].unflatten(0, (steps, -1)).square().mean(dim=1)
    loudest_db = 10 * float(torch.log10(power.max().clamp_min(1e-20)))
    floor_db = max(loudest_db + _SOUND_BELOW_LOUDEST_DB, _SILENCE_DBFS)
    sounding = torch.nonzero(power > 10 ** (floor_db / 10))[:, 0]
    if not len(sounding):
        return None
    step_s = _STEP_SAMPLES / RATE_HZ
    return float(sounding[0]) * step_s, float(sounding[-1] + 1) * step_s
