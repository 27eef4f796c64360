"""Parts of a project: tracks with clips, curves and filters. Positions are quarter notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mashup_worker.audio.signal import Audio
    from mashup_worker.audio.song_tags import SongTags

BandType = Literal["highPass", "lowPass", "lowShelf", "bell"]
Interpolation = Literal["hold", "linear"]

COLORS = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}
OTHER_COLOR = "#F0E442"


@dataclass(frozen=True)
class Point:
    """Value at a position."""

    at: float
    value: float
    interpolation: Interpolation = "linear"


Curve = tuple[Point, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class AudioFile:
    """Audio in the archive.

    Attributes:
        path: path in the archive.
        warps: positions and the times of the audio in seconds at them; empty for audio that is
            placed by seconds.
    """

    path: str
    audio: Audio = field(repr=False)
    warps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Part of an audio file on a track; `play_start` is the position inside the file's warps."""

    name: str
    comment: str
    file: AudioFile
    start: float
    duration: float
    play_start: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Band:
    """Filter of a track.

    Attributes:
        curve: automation of the gain of shelves and bells, in dB, and of the frequency of others.
    """

    type: BandType
    frequency_hz: float
    curve: Curve = ()
    q: float | None = None

    @property
    def moves_gain(self) -> bool:
        """Whether the curve is one of gains."""
        return self.type in ("lowShelf", "bell")


@dataclass(frozen=True, kw_only=True)
class Track:
    """Track with clips that do not overlap; `volume` holds linear gains."""

    name: str
    kind: str
    clips: tuple[Clip, ...]
    volume: Curve = ()
    bands: tuple[Band, ...] = ()

    @property
    def color(self) -> str:
        """Color of its kind."""
        return COLORS.get(self.kind, OTHER_COLOR)


@dataclass(frozen=True, kw_only=True)
class Project:
    """Arrangement of tracks.

    Attributes:
        tempi: tempo in quarter notes a minute from each position on; one or more.
        meters: position, numerator and denominator of each time signature; one or more.
        markers: positions and names.
        master_bands: filters of the sum.
        in_seconds: whether positions are seconds, as for songs without a beat.
    """

    tags: SongTags
    tracks: tuple[Track, ...]
    tempi: tuple[tuple[float, float], ...]
    meters: tuple[tuple[float, int, int], ...]
    markers: tuple[tuple[float, str], ...] = ()
    master_bands: tuple[Band, ...] = ()
    in_seconds: bool = False

    @property
    def files(self) -> list[AudioFile]:
        """All audio files, each once."""
        found = {clip.file.path: clip.file for track in self.tracks for clip in track.clips}
        return list(found.values())
