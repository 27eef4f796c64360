"""Content of a report: songs, each with its mix and its stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis


@dataclass(frozen=True)
class ReportTrack:
    """Audio file of a song: its mix or a stem.

    Attributes:
        path: file in a format of libsndfile.
        loudness_lufs: integrated loudness; minus infinity for silence, None if not measured.
        si_sdr_db: SI-SDR to the true stem; None if it is unknown.
        si_sdr_gain_db: `si_sdr_db` minus that of the mix as an estimate.
    """

    kind: str
    path: Path
    duration_s: float
    loudness_lufs: float | None = None
    si_sdr_db: float | None = None
    si_sdr_gain_db: float | None = None


@dataclass(frozen=True)
class SongSection:
    """Separated song.

    Attributes:
        elapsed_s: wall-clock time of the separation.
        mix: the song itself.
        stems: the stems in display order.
        model_note: remark about the model, such as `"preview model"`.
        analysis: tempo, beats, key and loudness of the song; None if it was not analyzed.
    """

    name: str
    model: str
    device: str
    precision: str
    duration_s: float
    elapsed_s: float
    mix: ReportTrack
    stems: tuple[ReportTrack, ...]
    model_note: str = ""
    analysis: Analysis | None = None

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound separated per second; None if the time was not measured."""
        return self.duration_s / self.elapsed_s if self.elapsed_s > 0 else None


@dataclass(frozen=True)
class Report:
    """Whole page, with notes that explain the figures."""

    title: str
    songs: tuple[SongSection, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()
