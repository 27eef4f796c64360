"""What was measured of a mashup, what was wanted, and whether that agrees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mashup_worker.dsp.loudness import LoudnessCurve


@dataclass(frozen=True)
class Measurement:
    """One figure of a mashup.

    Attributes:
        name: what was measured; a stem's figures begin with the stem's name and a colon.
        value: the figure; None where there is nothing to measure.
        unit: its unit; empty for counts and words.
        wanted: what it should be, such as `"<= 10 ms"`; empty where nothing is.
        passed: whether it is so; None for what is only told, and for what can't be judged.
        detail: what a person should know beside it: when, where, from how much, or why not.
    """

    name: str
    value: float | str | None
    unit: str = ""
    wanted: str = ""
    passed: bool | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON keeps it: rounded, and null for silence's minus infinity."""
        value = self.value
        if isinstance(value, float):
            value = round(value, 4) if math.isfinite(value) else None
        return {
            "name": self.name,
            "value": value,
            "unit": self.unit,
            "wanted": self.wanted,
            "passed": self.passed,
            "detail": self.detail,
        }


@dataclass(frozen=True, eq=False)
class MixReport:
    """All that was measured of a mashup.

    Attributes:
        measurements: the figures, in the order in which people read them.
        loudness_curve: short-term loudness over time.
        target_lufs: integrated loudness that was wanted.
        notes: what could not be measured, and why.
    """

    measurements: tuple[Measurement, ...]
    loudness_curve: LoudnessCurve
    target_lufs: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing that could be judged is other than wanted."""
        return all(one.passed is not False for one in self.measurements)

    @property
    def failures(self) -> tuple[Measurement, ...]:
        """What is other than wanted."""
        return tuple(one for one in self.measurements if one.passed is False)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON keeps it."""
        return {
            "passed": self.passed,
            "measurements": [one.as_dict() for one in self.measurements],
            "target_lufs": self.target_lufs,
            "loudness_times_s": [
                round(time_s, 1) for time_s in self.loudness_curve.ends_s.tolist()
            ],
            "short_term_lufs": [round(lufs, 2) for lufs in self.loudness_curve.lufs.tolist()],
            "notes": list(self.notes),
        }
