"""The stems of a mashup as they were rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.song import is_vocal

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class StemTrack:
    """A part of a song as it sounds in the mashup, before the bus.

    Attributes:
        name: song and kind, such as `"one song/vocals"`.
        kind: vocals, drums, bass, other, ...
        song: the song that it is a part of.
        audio: its sound, as long as the mashup.
    """

    name: str
    kind: str
    song: str
    audio: Audio

    @property
    def is_vocal(self) -> bool:
        """Whether it is a lead voice."""
        return is_vocal(self.kind)

    @property
    def has_pitch(self) -> bool:
        """Whether it may accompany a voice with chords or a bass line."""
        return not self.is_vocal and self.kind != "drums"


def check_tracks(tracks: Sequence[StemTrack]) -> None:
    """Make sure that tracks can be added up.

    Raises:
        InvalidInput: they differ in sample rate, or a name occurs twice.
    """
    rates_hz = {track.audio.rate_hz for track in tracks}
    if len(rates_hz) > 1:
        different = ", ".join(f"{track.name} {track.audio.rate_hz} Hz" for track in tracks)
        raise InvalidInput(f"stems of one mashup have one sample rate: {different}")
    names = [track.name for track in tracks]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"stems: {name} is there twice")


def together(tracks: Sequence[StemTrack]) -> Audio | None:
    """The sum of some tracks, as long as the longest; None for no tracks."""
    if not tracks:
        return None
    length = max(track.audio.length_samples for track in tracks)
    channels = max(track.audio.channels for track in tracks)
    total = torch.zeros(channels, length, device=tracks[0].audio.samples.device)
    for track in tracks:
        total[:, : track.audio.length_samples] += track.audio.samples
    return Audio(total, tracks[0].audio.rate_hz)


def by_song(tracks: Sequence[StemTrack]) -> dict[str, list[StemTrack]]:
    """Tracks by their songs, both in their order."""
    songs: dict[str, list[StemTrack]] = {}
    for track in tracks:
        songs.setdefault(track.song, []).append(track)
    return songs
