"""Rendered stems of a mashup, as measurements take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.song import DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False, kw_only=True)
class StemTrack:
    """Stem of a song as it sounds in the mashup, before the bus; as long as the mashup."""

    name: str
    kind: str
    song: str
    audio: Audio

    @property
    def is_vocal(self) -> bool:
        """Whether it is a lead vocal."""
        return is_vocal(self.kind)

    @property
    def is_pitched_instrument(self) -> bool:
        """Whether it is neither vocals nor drums."""
        return not self.is_vocal and self.kind != DRUMS


def check_tracks(tracks: Sequence[StemTrack]) -> None:
    """Raise `InvalidInput` for tracks that differ in sample rate or share a name."""
    rates_hz = {track.audio.sample_rate for track in tracks}
    if len(rates_hz) > 1:
        rates = ", ".join(f"{track.name} {track.audio.sample_rate} Hz" for track in tracks)
        raise InvalidInput(f"stems: different sample rates ({rates}); convert them to one rate")
    names = [track.name for track in tracks]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"stems: two are named {name}; keep one of them")


def sum_stems(tracks: Sequence[StemTrack]) -> Audio | None:
    """Return the sum of tracks, as long as the longest; None for no tracks."""
    if not tracks:
        return None
    length = max(track.audio.length_samples for track in tracks)
    channels = max(track.audio.channels for track in tracks)
    total = torch.zeros(channels, length, device=tracks[0].audio.samples.device)
    for track in tracks:
        total[:, : track.audio.length_samples] += track.audio.samples
    return Audio(total, tracks[0].audio.sample_rate)


def group_by_song(tracks: Sequence[StemTrack]) -> dict[str, list[StemTrack]]:
    """Group tracks by song, in their order."""
    songs: dict[str, list[StemTrack]] = {}
    for track in tracks:
        songs.setdefault(track.song, []).append(track)
    return songs
