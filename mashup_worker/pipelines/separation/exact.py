"""Stems that add up to the song exactly, also as integers in files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.writers import quantized
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.pipelines.separation.stems import Stem

_FLOAT_DEPTH = 24
"""Bits of the fraction that floating-point files keep: float32 adds such samples exactly."""

_USUAL_REMAINDER = "other"


def completing_stem(
    model_stems: Sequence[str], residual_stem: str | None, wanted: Sequence[str]
) -> str:
    """Return the stem that is the song minus all other requested ones, so that they add up to it.

    That is the complement of a pair `<kind>`, `no_<kind>`. Of all stems of the model it is the one
    that the model defines so, else `other`, else the last one.

    Raises:
        InvalidInput: the stems are not all of the song.
    """
    kinds = set(wanted)
    if kinds == set(model_stems) and len(kinds) > 1:
        usual = _USUAL_REMAINDER if _USUAL_REMAINDER in kinds else model_stems[-1]
        return residual_stem or usual
    pairs = ({kind, COMPLEMENT_PREFIX + kind} for kind in model_stems)
    if kinds in pairs:
        return max(kinds, key=lambda kind: kind.startswith(COMPLEMENT_PREFIX))
    every = f"all ({', '.join(model_stems)}), or for " if len(model_stems) > 1 else ""
    raise InvalidInput(
        f"{', '.join(wanted)}: not the whole song, so their sum cannot be exact; ask for {every}a "
        f"stem and its complement, such as {model_stems[0]} and {COMPLEMENT_PREFIX}{model_stems[0]}"
    )


def check_lossless(encode: EncodeOptions) -> None:
    """Raise `InvalidInput` for a format that changes samples, and thus their sum."""
    if not encode.lossless:
        raise InvalidInput(f"{encode.format}: coded with loss, so no sum is exact; use flac or wav")


@dataclass(frozen=True, eq=False)
class ExactSum:
    """Rounding of stems to samples that add up to the rounded song.

    All stems but one are rounded to the nearest integer of the file's depth. The completing one is
    the difference to the rounded song. Floating-point files get multiples of 2^-23, whose sums are
    exact in float32 up to twice full scale.

    Attributes:
        kind: the completing stem.
    """

    stems: Sequence[Stem]
    kind: str
    encode: EncodeOptions

    @property
    def max_peak(self) -> float | None:
        """Greatest absolute sample of a stem before it is rounded; None for no limit."""
        limit = self.encode.max_peak
        # The roundings of all others add up in the completing stem.
        return None if limit is None else limit - len(self.stems) / self._full_scale

    def rounded(self, stem: Stem, gain: float, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop` of a scaled stem, as a writer takes them."""
        if stem.kind != self.kind:
            values = self._integers(gain * stem.read(start, stop))
        else:
            values = self._integers(gain * stem.song.read(start, stop))
            for other in self.stems:
                if other is not stem:
                    values -= self._integers(gain * other.read(start, stop))
        samples = values / self._full_scale
        return samples if self.encode.is_float else quantized(samples, self.encode.bit_depth)

    @property
    def _full_scale(self) -> float:
        return float(2 ** ((_FLOAT_DEPTH if self.encode.is_float else self.encode.bit_depth) - 1))

    def _integers(self, samples: Tensor) -> Tensor:
        """Return the nearest integers, as float32, which holds them exactly."""
        return torch.round(samples * self._full_scale)
