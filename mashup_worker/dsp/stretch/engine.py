"""Protocol of the time-stretching engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.dsp.stretch.time_map import TimeMap

LOWEST_RATIO = 0.25
HIGHEST_RATIO = 4.0
"""Limits of all engines, far beyond what a mashup should use."""


@dataclass(frozen=True)
class Change:
    """Change of time, along a map that spans the sound, and of pitch.

    `keep_formants` keeps the formants of a voice, where the engine can.
    """

    time_map: TimeMap
    semitones: float = 0.0
    keep_formants: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether the change leaves the sound unchanged."""
        return self.time_map.is_identity and self.semitones == 0


class StretchEngine(Protocol):
    """Engine that changes time without pitch and pitch without time."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """Return the changed sound, exact to the sample, on the same device.

        An identity change returns the sound unchanged. Channels keep their phase relations.

        Raises:
            InvalidInput: the time map does not span the sound, or a ratio lies outside
                `LOWEST_RATIO` to `HIGHEST_RATIO`.
        """
        ...


def check(audio: Audio, change: Change) -> None:
    """Raise `InvalidInput` for a change outside the limits of all engines."""
    time_map = change.time_map
    if time_map.source_samples != audio.length_samples:
        raise InvalidInput(
            f"time_map: spans {time_map.source_samples} samples of a sound of "
            f"{audio.length_samples}"
        )
    for source, target in time_map.steps:
        # Lengths are whole samples, so each may be rounded by one.
        if not LOWEST_RATIO * source - 1 <= target <= HIGHEST_RATIO * source + 1:
            raise InvalidInput(
                f"time_map: a ratio of {target / source:.3g} lies outside "
                f"{LOWEST_RATIO} to {HIGHEST_RATIO}"
            )


def exactly(samples: Tensor, like: Audio, length_samples: int) -> Audio:
    """Cut or pad a sound to a length, on the device of another."""
    padded = F.pad(samples, (0, max(0, length_samples - samples.shape[1])))
    return Audio(padded[:, :length_samples].contiguous().to(like.samples.device), like.sample_rate)
