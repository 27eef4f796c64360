"""Report of a mashup: measurements, their limits, and the verdict on each."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mashup_worker.mixing.measures.findings import Findings

if TYPE_CHECKING:
    from mashup_worker.dsp.loudness import LoudnessCurve


@dataclass(frozen=True)
class Measurement:
    """One measured value of a mashup; None where it is undefined.

    Attributes:
        name: measured quantity; that of a stem begins with the stem's name and a colon.
        wanted: its limit, such as `"<= 10 ms"`; empty for measurements without one.
        passed: whether it is within its limit; None without a limit, or where it cannot be judged.
        detail: context for people, such as time, place, or the reason for a missing value.
    """

    name: str
    value: float | str | None
    unit: str = ""
    _: KW_ONLY
    wanted: str = ""
    passed: bool | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the measurement as JSON values, rounded, with null for -inf."""
        value = self.value
        if isinstance(value, float):
            value = round(value, 4) if math.isfinite(value) else None
        return asdict(self) | {"value": value}

    @property
    def sentence(self) -> str:
        """The value and its limit, such as `level step at splices: 3.40 LU, expected <= 3 LU`."""
        value = f"{self.value:.2f}" if isinstance(self.value, float) else str(self.value)
        return f"{self.name}: {f'{value} {self.unit}'.strip()}, expected {self.wanted}"


@dataclass(frozen=True, eq=False, kw_only=True)
class MixReport:
    """All measurements of a mashup in display order; `notes` say which were skipped, and why.

    `findings` are the faults from which a plan is corrected; they are no part of the document.
    """

    measurements: tuple[Measurement, ...]
    loudness_curve: LoudnessCurve
    target_lufs: float | None = None
    notes: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)

    @property
    def passed(self) -> bool:
        """Whether every judged measurement is within its limit."""
        return not self.failures

    @property
    def failures(self) -> tuple[Measurement, ...]:
        """Measurements beyond their limits."""
        return tuple(one for one in self.measurements if one.passed is False)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
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
