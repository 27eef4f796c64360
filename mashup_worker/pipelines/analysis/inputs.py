"""Inputs of the analysis: sound read block by block, measured, and downmixed for the features."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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
_MAX_THREADS = 2
_DRUMS, _VOCALS = "drums", "vocals"
_MIN_DRUMS_LEVEL, _MIN_DRUMS_TIME = 0.01, 0.35
"""Level of the drums relative to the mix, and the share of its seconds in which they sound."""

_VOCAL_GAIN = 0.5
"""Vocals glide and have their own melody, so they count half for the key."""


@dataclass(frozen=True, eq=False)
class MeasuredLevels:
    """Loudness and true peak of a sound; None and empty curves as in `LoudnessMeter`."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    momentary: LoudnessCurve
    short_term: LoudnessCurve


class LevelMeter:
    """Meter of the loudness and the true peak of a stream, on a device."""

    def __init__(self, sample_rate: int, channels: int, device: torch.device) -> None:
        self._loudness = LoudnessMeter(sample_rate, channels)
        self._peak = TruePeakMeter(sample_rate)
        self._device = device

    def add(self, block: Tensor) -> None:
        """Measure the next samples, shape `(channels, samples)`."""
        block = block.to(self._device)
        self._loudness.add(block)
        self._peak.add(block)

    def levels(self) -> MeasuredLevels:
        """Return the levels of the stream so far."""
        meter = self._loudness
        return MeasuredLevels(
            integrated_lufs=meter.integrated_lufs(),
            range_lu=meter.loudness_range_lu(),
            true_peak_dbtp=self._peak.true_peak_dbtp(),
            momentary=meter.momentary_lufs(),
            short_term=meter.short_term_lufs(),
        )


class MonoDownmix:
    """Downmix of a stream to one channel at the sample rate of the onset features.

    Stereo becomes its mid, or its side if the mid cancels out.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._stream = StreamResampler(sample_rate, RATE_HZ, channels)
        self._pieces: list[Tensor] = []

    def add(self, block: Tensor) -> None:
        """Add the next samples, shape `(channels, samples)`, on the CPU."""
        self._pieces.append(_mid_and_side(self._stream.process(block)))

    def finish(self) -> Tensor:
        """Return the whole downmix, shape `(samples,)` at `RATE_HZ`; call it once, at the end."""
        rest = self._stream.process(torch.zeros(self._channels, 0), last=True)
        both = torch.cat([*self._pieces, _mid_and_side(rest)], dim=1)
        self._pieces.clear()
        if len(both) == 1:
            return both[0]
        mid, side = (float(part.square().sum()) for part in both)
        # The copy lets the memory of the other part go.
        return both[0 if mid >= _FAINT_SHARE * side else 1].clone()


@dataclass(frozen=True, eq=False)
class AnalysisInput:
    """Sounds of one length, `(samples,)` at `RATE_HZ`, from which the features are computed.

    Attributes:
        rhythm: sound that carries the rhythm.
        harmony: sound that carries the harmony.
        sounding_s: start and end of the audible part; None for silence.
        parts: sounds that add up to the song: its stems by kind, or itself as `mix`.
    """

    rhythm: Tensor
    harmony: Tensor
    sounding_s: tuple[float, float] | None
    parts: Mapping[str, Tensor]

    @staticmethod
    def of_mix(mono: Tensor) -> AnalysisInput:
        """Use one mix for everything."""
        return AnalysisInput(mono, mono, sounding_span_s(mono), {"mix": mono})

    @staticmethod
    def of_stems(stems: Mapping[str, Tensor]) -> AnalysisInput:
        """Use audible drums for the rhythm, and the stems with pitch for the harmony."""
        mix, pitched = torch.zeros_like(next(iter(stems.values()))), None
        for kind, sound in stems.items():
            mix += sound
            if kind != _DRUMS:
                gain = _VOCAL_GAIN if kind == _VOCALS else 1.0
                # A product is a new tensor, so that adding to it leaves the stem as it is.
                pitched = gain * sound if pitched is None else pitched.add_(sound, alpha=gain)
        drums = stems.get(_DRUMS)
        return AnalysisInput(
            rhythm=drums if drums is not None and _carry_rhythm(drums, mix) else mix,
            harmony=mix if pitched is None else pitched,
            sounding_s=sounding_span_s(mix),
            parts=stems,
        )


class StemReader:
    """Reader of the stems of a song, which measures their sum; short stems end in silence.

    Raises:
        InvalidInput: the stems have different sample rates, or there are none.
    """

    def __init__(self, stems: Mapping[str, SampleSource], device: torch.device) -> None:
        rates_hz = {stem.sample_rate for stem in stems.values()}
        if len(rates_hz) != 1:
            different = ", ".join(f"{kind} {stem.sample_rate} Hz" for kind, stem in stems.items())
            raise InvalidInput(
                f"stems: different sample rates ({different or 'no stems'}); "
                "convert them to the same rate"
            )
        self._stems = stems
        self._sample_rate = rates_hz.pop()
        self._length = max(stem.length_samples for stem in stems.values())
        self._channels = max(stem.channels for stem in stems.values())
        self._downmixes = {kind: MonoDownmix(self._sample_rate, self._channels) for kind in stems}
        self._meter = LevelMeter(self._sample_rate, self._channels, device)

    @property
    def duration_s(self) -> float:
        """Duration of the longest stem."""
        return self._length / self._sample_rate

    def read(self, on_progress: Callable[[float], None] = lambda _share: None) -> None:
        """Read all stems once; `on_progress` is called with the share done."""
        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            for start in range(0, self._length, _SPAN_SAMPLES):
                stop = min(self._length, start + _SPAN_SAMPLES)
                blocks = [self._block(stem, start, stop) for stem in self._stems.values()]
                downmixed = pool.map(MonoDownmix.add, self._downmixes.values(), blocks)
                self._meter.add(torch.stack(blocks).sum(dim=0))
                list(downmixed)
                on_progress(stop / self._length)

    def analysis_input(self) -> AnalysisInput:
        """Return the sounds for the features; call it once, after `read`."""
        return AnalysisInput.of_stems({kind: one.finish() for kind, one in self._downmixes.items()})

    def levels(self) -> MeasuredLevels:
        """Return the levels of the sum of the stems."""
        return self._meter.levels()

    def _block(self, stem: SampleSource, start: int, stop: int) -> Tensor:
        block = stem.read(min(start, stem.length_samples), min(stop, stem.length_samples)).cpu()
        return F.pad(block.expand(self._channels, -1), (0, stop - start - block.shape[1]))


def _carry_rhythm(drums: Tensor, mix: Tensor) -> bool:
    return _rms(drums) >= _MIN_DRUMS_LEVEL * _rms(mix) and _sounding_share(
        drums
    ) >= _MIN_DRUMS_TIME * _sounding_share(mix)


def _sounding_share(samples: Tensor) -> float:
    """Return the share of seconds that are at most 40 dB below the loudest."""
    count = len(samples) // RATE_HZ
    if count == 0:
        return 1.0
    power = samples[: count * RATE_HZ].unflatten(0, (count, RATE_HZ)).square().mean(dim=1)
    return float((power > 1e-4 * power.max()).float().mean())


def _rms(samples: Tensor) -> float:
    return float(samples.square().mean().sqrt()) if len(samples) else 0.0


def _mid_and_side(samples: Tensor) -> Tensor:
    if samples.shape[0] == 1:
        return samples
    left, right = samples
    return torch.stack([(left + right) / 2, (left - right) / 2])


def sounding_span_s(mono: Tensor) -> tuple[float, float] | None:
    """Return start and end of the audible part of `(samples,)` at `RATE_HZ`; None for silence."""
    steps = len(mono) // _STEP_SAMPLES
    if steps == 0:
        return None
    power = mono[: steps * _STEP_SAMPLES].unflatten(0, (steps, -1)).square().mean(dim=1)
    loudest_db = 10 * float(torch.log10(power.max().clamp_min(1e-20)))
    floor_db = max(loudest_db + _SOUND_BELOW_LOUDEST_DB, _SILENCE_DBFS)
    sounding = torch.nonzero(power > 10 ** (floor_db / 10))[:, 0]
    if not len(sounding):
        return None
    step_s = _STEP_SAMPLES / RATE_HZ
    return float(sounding[0]) * step_s, float(sounding[-1] + 1) * step_s
