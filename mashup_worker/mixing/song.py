"""What a mashup is made of: songs, their parts, and how loud each part is at every moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.kweighting import LOWEST_RATE_HZ, KWeighting, pieces
from mashup_worker.mixing.plan import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.grid import SongGrid

VOCALS, DRUMS, BASS = "vocals", "drums", "bass"

_WITHOUT_DRUMS = frozenset((VOCALS, BASS, "other", "guitar", "piano", "no_drums"))
_STEPS_PER_SECOND = 20
_OFFSET_DB = -0.691
_SOUNDING_BELOW_LOUDEST_DB = -30.0
_SILENCE_LUFS = -60.0


@dataclass(frozen=True, eq=False)
class Levels:
    """K-weighted mean squares of a sound, 20 a second; shape `(steps,)`, float64, on the CPU."""

    powers: Tensor

    @classmethod
    def of(cls, audio: Audio) -> Levels:
        """Measure a sound; one below 3,364 samples a second is taken as it is."""
        known = audio.rate_hz >= LOWEST_RATE_HZ
        weighting = KWeighting(audio.rate_hz) if known else None
        sums = [torch.zeros(1, dtype=torch.float64)]
        for piece in pieces(audio.samples):
            weighted = weighting.push(piece) if weighting else piece
            squares = weighted.square().sum(dim=0).cumsum(0, dtype=torch.float64)
            sums.append(sums[-1][-1] + squares.cpu())
        total = torch.cat(sums)
        steps = math.ceil(audio.duration_s * _STEPS_PER_SECOND)
        edges = (torch.arange(steps + 1) * audio.rate_hz / _STEPS_PER_SECOND).long()
        energies = total[edges.clamp_max(audio.length_samples)].diff()
        return cls(energies * _STEPS_PER_SECOND / audio.rate_hz)

    def power(self, start_s: float, stop_s: float) -> float:
        """Mean square between two moments; 0 outside the sound."""
        first = self.step_at(start_s)
        last = max(first, self.step_at(stop_s))
        return float(self.powers[first:last].sum()) / max(1, last - first)

    @staticmethod
    def step_at(time_s: float) -> int:
        """The step that begins next to a moment; 0 for moments before the sound."""
        return max(0, round(time_s * _STEPS_PER_SECOND))

    @cached_property
    def loud_power(self) -> float:
        """What the loud moments have: the 90th percentile of what is not silent."""
        sounding = self.powers[self.powers > 10 ** (_SILENCE_LUFS / 10)]
        return float(sounding.quantile(0.9)) if len(sounding) else 0.0

    @cached_property
    def floor_power(self) -> float:
        """What is not more than this is a rest beside the loud moments."""
        return max(
            self.loud_power * 10 ** (_SOUNDING_BELOW_LOUDEST_DB / 10), 10 ** (_SILENCE_LUFS / 10)
        )

    @property
    def sounding(self) -> Tensor:
        """The steps that are no rest, bool `(steps,)`."""
        return self.powers > self.floor_power

    def sounds(self, start_s: float, stop_s: float) -> bool:
        """Whether a stretch of the sound is no rest."""
        return self.power(start_s, stop_s) > self.floor_power


def lufs(power: float) -> float:
    """A K-weighted mean square as loudness; -inf for silence."""
    return _OFFSET_DB + 10 * math.log10(power) if power > 0 else -math.inf


@dataclass(frozen=True, eq=False)
class Part:
    """A stem of a song.

    Attributes:
        kind: vocals, drums, bass, other, ...
        path: its file.
        sha256: digest of the file.
        audio: its sound.
        levels: how loud it is.
    """

    kind: str
    path: Path
    sha256: str
    audio: Audio
    levels: Levels


@dataclass(frozen=True, eq=False)
class MixSong:
    """A song, or what there is of it.

    Attributes:
        name: what people call it; no two songs of a mashup share one.
        analysis: what is known of it.
        grid: its bars.
        parts: its stems by kind.
    """

    name: str
    analysis: Analysis
    grid: SongGrid
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def instruments(self) -> Mapping[str, Part]:
        """All parts but the voices."""
        return {kind: part for kind, part in self.parts.items() if not is_vocal(kind)}

    @property
    def vocals(self) -> Part | None:
        """The voice."""
        return next((part for kind, part in self.parts.items() if is_vocal(kind)), None)

    @property
    def has_drums(self) -> bool:
        """Whether drums are in any of its parts."""
        return any(kind not in _WITHOUT_DRUMS for kind in self.parts)

    @property
    def duration_s(self) -> float:
        """Length of its longest part."""
        return max(part.audio.duration_s for part in self.parts.values())

    @property
    def bars(self) -> int:
        """Whole bars from its first downbeat on; the last may lack a twentieth of its length."""
        return max(0, math.floor(self.grid.bar_at(self.duration_s) + 0.05))

    def source(self, kind: str) -> Source:
        """A part as a plan names it."""
        part, grid = self.parts[kind], self.grid
        beats_s = getattr(grid, "beats_s", ())
        return Source(
            path=str(part.path),
            sha256=part.sha256,
            kind=kind,
            song=self.name,
            tempo_bpm=round(grid.tempo_bpm, 6),
            beats_per_bar=3 if grid.beats_per_bar == 3 else 4,
            first_downbeat_s=grid.first_downbeat_s,
            beats_s=beats_s,
        )

    def power(self, kinds: tuple[str, ...], first_bar: float, last_bar: float) -> float:
        """Mean square of some parts together between two bars."""
        start_s, stop_s = self.grid.time_at(first_bar), self.grid.time_at(last_bar)
        return sum(self.parts[kind].levels.power(start_s, stop_s) for kind in kinds)

    def sounds(self, kind: str, first_bar: float, last_bar: float) -> bool:
        """Whether a part plays between two bars."""
        return self.parts[kind].levels.sounds(
            self.grid.time_at(first_bar), self.grid.time_at(last_bar)
        )


def is_vocal(kind: str) -> bool:
    """Whether a part is a lead voice."""
    return kind.startswith(VOCALS)


def source_name(song: MixSong, kind: str) -> str:
    """What a plan calls a part of a song."""
    return f"{song.name}/{kind}"
