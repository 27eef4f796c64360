"""What a report shows: songs, and for each the mix and the stems it was split into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis


@dataclass(frozen=True)
class Track:
    """One audio file of a song: its mix or a stem.

    Attributes:
        kind: what it holds, such as `"vocals"`; `"mix"` for the mix.
        path: the file, in a form that libsndfile reads.
        duration_s: its length.
        loudness_lufs: integrated loudness; minus infinity for silence, None when not measured.
        si_sdr_db: scale-invariant signal-to-distortion ratio against the known stem; None when the
            true stem is not known.
        si_sdr_gain_db: `si_sdr_db` less that of the mix taken as the estimate.
    """

    kind: str
    path: Path
    duration_s: float
    loudness_lufs: float | None = None
    si_sdr_db: float | None = None
    si_sdr_gain_db: float | None = None


@dataclass(frozen=True)
class SongSection:
    """One separated song.

    Attributes:
        name: what a listener calls the song.
        model: name of the model that split it.
        device: where the model ran.
        precision: the arithmetic it ran in.
        duration_s: length of the song.
        elapsed_s: wall-clock time the separation took.
        mix: the song as it went in.
        stems: the stems as they came out, in the order shown.
        model_note: what a listener must know about the model, such as `"preview model"`.
        analysis: tempo, beats, key and loudness of the song; None where it was not analysed.
    """

    name: str
    model: str
    device: str
    precision: str
    duration_s: float
    elapsed_s: float
    mix: Track
    stems: tuple[Track, ...]
    model_note: str = ""
    analysis: Analysis | None = None

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound separated in a second; None when no time was measured."""
        return self.duration_s / self.elapsed_s if self.elapsed_s > 0 else None


@dataclass(frozen=True)
class Report:
    """A whole page.

    Attributes:
        title: the page's title.
        songs: one section each, in the order shown.
        subtitle: a line under the title, such as when and where the run took place.
        notes: sentences a reader should know before trusting the figures.
    """

    title: str
    songs: tuple[SongSection, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()
