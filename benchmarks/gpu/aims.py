"""What the project aims at on one GPU of the H200's class, and whether it was reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.bench.pipeline import AIM_TIMES_REAL_TIME

if TYPE_CHECKING:
    from mashup_worker.bench.results import Results

LEAST_SNR_DB = 40.0
"""To fp32: a result with a lower ratio does not count as a separation."""

TIMES_STOCK, TIMES_UNBLEND = 8.0, 1.2
MASHUP_S, MASHUP_LENGTH_S = 3.0, 180.0


@dataclass(frozen=True)
class Aim:
    """A figure to reach.

    Attributes:
        text: the measured quantity, with its unit.
        wanted: the figure.
        reached: the measured value; None if there is none.
        at_most: whether less is better.
    """

    text: str
    wanted: float
    reached: float | None
    at_most: bool = False

    @property
    def mark(self) -> str:
        """`met`, `missed` or `not measured`."""
        if self.reached is None:
            return "not measured"
        met = self.reached <= self.wanted if self.at_most else self.reached >= self.wanted
        return "met" if met else "missed"


def aims(results: Results | None) -> list[Aim]:
    """Return all aims, beside what a document holds of each."""
    pipeline = results.pipeline if results else None
    mashup = results.mashup if results else None
    is_whole = mashup is not None and mashup.run.track_s >= MASHUP_LENGTH_S
    return [
        Aim(
            f"x stock demucs (fp32, batch 1), at {LEAST_SNR_DB:g} dB or more",
            TIMES_STOCK,
            _ratio(results, "demucs"),
        ),
        Aim(
            "x unblend (fp16, compiled), same weights and run",
            TIMES_UNBLEND,
            _ratio(results, "unblend"),
        ),
        Aim(
            "files to files, x real time",
            AIM_TIMES_REAL_TIME,
            pipeline.best.run.times_real_time if pipeline else None,
        ),
        Aim(
            "mashup of four 3-minute stems to FLAC, seconds",
            MASHUP_S,
            mashup.run.p50_s if mashup and is_whole else None,
            at_most=True,
        ),
    ]


def _ratio(results: Results | None, peer: str) -> float | None:
    """Return the best ratio against a peer of a run that is close enough to fp32."""
    made = results.separation if results else None
    ratios = [
        one.ratio
        for one in (made.ratios if made else ())
        if one.against.startswith(f"{peer} ") and (one.snr_db is None or one.snr_db >= LEAST_SNR_DB)
    ]
    return max(ratios, default=None)
