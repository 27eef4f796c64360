"""Songs of a mashup: their stems, bars, and loudness over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.kweighting import LOWEST_RATE_HZ, KWeighting
from mashup_worker.dsp.pieces import pieces
from mashup_worker.dsp.running_sums import sums_before
from mashup_worker.mixing.plan import PlanSource
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, STEM_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.grid import SongGrid

VOCALS, DRUMS, BASS = "vocals", "drums", "bass"

_KINDS_WITHOUT_DRUMS = frozenset(STEM_KINDS) - {DRUMS} | {COMPLEMENT_PREFIX + DRUMS}
_STEPS_PER_SECOND = 20
_LUFS_OFFSET_DB = -0.691
_REST_BELOW_LOUD_DB = -30.0
_SILENCE_LUFS = -60.0


@dataclass(frozen=True, eq=False)
class LoudnessEnvelope:
    """K-weighted power of audio: 20 mean squares a second, float64 `(steps,)`, on the CPU."""

    powers: Tensor

    @classmethod
    def of(cls, audio: Audio) -> LoudnessEnvelope:
        """Measure audio; below 3,364 samples a second, K-weighting is omitted."""
        weighting = KWeighting(audio.sample_rate) if audio.sample_rate >= LOWEST_RATE_HZ else None
        squares = (
            (weighting.push(piece) if weighting else piece).square().sum(dim=0)
            for piece in pieces(audio.samples)
        )
        steps = math.ceil(audio.duration_s * _STEPS_PER_SECOND)
        edges = (torch.arange(steps + 1) * audio.sample_rate / _STEPS_PER_SECOND).long()
        energies = sums_before(squares, edges.clamp_max(audio.length_samples)).diff()
        return cls(energies * _STEPS_PER_SECOND / audio.sample_rate)

    def power(self, start_s: float, stop_s: float) -> float:
        """Return the mean square between two times; 0 outside the audio."""
        first = self.step_at(start_s)
        last = max(first, self.step_at(stop_s))
        return float(self.powers[first:last].sum()) / max(1, last - first)

    @staticmethod
    def step_at(time_s: float) -> int:
        """Return the step that begins nearest to a time; 0 for times before the audio."""
        return max(0, round(time_s * _STEPS_PER_SECOND))

    @staticmethod
    def time_of(step: int) -> float:
        """Return the middle of a step."""
        return (step + 0.5) / _STEPS_PER_SECOND

    @cached_property
    def loud_power(self) -> float:
        """The 90th percentile of the steps above -60 LUFS; 0 for silence."""
        audible = self.powers[self.powers > 10 ** (_SILENCE_LUFS / 10)]
        return float(audible.quantile(0.9)) if len(audible) else 0.0

    @cached_property
    def rest_power(self) -> float:
        """The highest power that counts as a rest: 30 dB below `loud_power`, -60 LUFS or more."""
        return max(self.loud_power * 10 ** (_REST_BELOW_LOUD_DB / 10), 10 ** (_SILENCE_LUFS / 10))

    @property
    def playing(self) -> Tensor:
        """Mask of the steps that are no rest, bool `(steps,)`."""
        return self.powers > self.rest_power

    def is_playing(self, start_s: float, stop_s: float) -> bool:
        """Return whether the mean power between two times is above that of a rest."""
        return self.power(start_s, stop_s) > self.rest_power


def power_to_lufs(power: float) -> float:
    """Convert a K-weighted mean square to loudness; -inf for silence."""
    return _LUFS_OFFSET_DB + 10 * math.log10(power) if power > 0 else -math.inf


def lufs_to_power_db(lufs: float) -> float:
    """Convert loudness to a K-weighted mean square in dB."""
    return lufs - _LUFS_OFFSET_DB


@dataclass(frozen=True, eq=False, kw_only=True)
class SongStem:
    """Stem of a song, in memory."""

    kind: str
    path: Path
    sha256: str
    audio: Audio
    envelope: LoudnessEnvelope


@dataclass(frozen=True, eq=False, kw_only=True)
class MixSong:
    """Song of a mashup, with one stem or more by kind; its name is unique in a mashup."""

    name: str
    analysis: Analysis
    grid: SongGrid
    stems: Mapping[str, SongStem] = field(default_factory=dict)

    @property
    def instruments(self) -> Mapping[str, SongStem]:
        """All stems but the vocals, by kind."""
        return {kind: stem for kind, stem in self.stems.items() if not is_vocal(kind)}

    @property
    def vocals(self) -> SongStem | None:
        """The vocal stem, if any."""
        return next((stem for kind, stem in self.stems.items() if is_vocal(kind)), None)

    @property
    def has_drums(self) -> bool:
        """Whether any of its stems contains drums."""
        return any(kind not in _KINDS_WITHOUT_DRUMS for kind in self.stems)

    @property
    def duration_s(self) -> float:
        """Duration of its longest stem."""
        return max(stem.audio.duration_s for stem in self.stems.values())

    @property
    def bars(self) -> int:
        """Number of whole bars from the first downbeat; up to 5 % of the last may be missing.

        The bars end where the tempo of the grid ends.
        """
        stop_s = min(self.duration_s, self.grid.stop_s)
        return max(0, math.floor(self.grid.bar_at(stop_s) + 0.05))

    def source(self, kind: str) -> PlanSource:
        """Return a stem as an entry of a plan."""
        stem, grid = self.stems[kind], self.grid
        return PlanSource(
            path=str(stem.path),
            sha256=stem.sha256,
            kind=kind,
            song=self.name,
            tempo_bpm=round(grid.tempo_bpm, 6),
            beats_per_bar=3 if grid.beats_per_bar == 3 else 4,
            first_downbeat_s=grid.first_downbeat_s,
            beats_s=getattr(grid, "beats_s", ()),
        )

    def power(self, kinds: tuple[str, ...], first_bar: float, last_bar: float) -> float:
        """Return the sum of some stems' mean squares between two bars."""
        start_s, stop_s = self.grid.time_at(first_bar), self.grid.time_at(last_bar)
        return sum(self.stems[kind].envelope.power(start_s, stop_s) for kind in kinds)

    def is_playing(self, kind: str, first_bar: float, last_bar: float) -> bool:
        """Return whether a stem plays between two bars."""
        return self.stems[kind].envelope.is_playing(
            self.grid.time_at(first_bar), self.grid.time_at(last_bar)
        )


def is_vocal(kind: str) -> bool:
    """Return whether a kind of stem is a lead vocal."""
    return kind.startswith(VOCALS)


def source_name(song: MixSong, kind: str) -> str:
    """Return the name of a stem in plans: `<song>/<kind>`."""
    return f"{song.name}/{kind}"
