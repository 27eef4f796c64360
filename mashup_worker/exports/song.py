"""Songs and mashups to export: their sound, beats, markers and tags."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mashup_worker.analysis.key_names import camelot
from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import encode_into
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.riff_writer import append_chunks
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.markers import markers_of_analysis, markers_of_plan
from mashup_worker.exports.tempo_map import TempoMap
from mashup_worker.system.files import atomic_path, cannot_write
from mashup_worker.system.names import safe_name
from mashup_worker.vocabulary import COMPLEMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.exports.markers import Marker
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.render.tracks import RenderedTrack

LIMITS = DecodeLimits(max_duration_s=3_600.0)
"""Sounds to export are held in memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ExportTrack:
    """Stem of a song, or track of a mashup: a file, or sound in memory."""

    name: str
    kind: str
    source: Path | Audio = field(repr=False)

    def audio(self) -> Audio:
        """Return its sound.

        Raises:
            InvalidInput: the file cannot be decoded.
        """
        return self.source if isinstance(self.source, Audio) else decode(self.source, LIMITS)


@dataclass(frozen=True, eq=False, kw_only=True)
class ExportSong:
    """Song, or mashup with its plan.

    Attributes:
        title: name that programs show; any text.
        file_name: name of its files, without a suffix; None for that of its title.
        file: file of the whole; None where only its stems are there.
        tracks: stems of a song, or rendered tracks of a mashup; empty where they are not needed.
        analysis: of a song; None where it is unknown.
        plan: of a mashup.
        sounds: audio of the plan's sources, stereo and at its sample rate, by source.
        tags: tags of the whole.
    """

    title: str
    file_name: str | None = None
    file: Path | None = None
    tracks: tuple[ExportTrack, ...] = ()
    analysis: Analysis | None = None
    plan: Plan | None = None
    sounds: Mapping[str, Audio] = field(default_factory=dict, repr=False)
    tags: SongTags = NO_TAGS

    @property
    def name(self) -> str:
        """Name of its files, without a suffix."""
        return self.file_name or safe_name(self.title)

    @cached_property
    def tempo_map(self) -> TempoMap | None:
        """Its bars and beats; None where it has no beat."""
        if self.plan is not None:
            return TempoMap.of_grid(self.plan.grid)
        return None if self.analysis is None else TempoMap.of_analysis(self.analysis)

    @property
    def tempo_bpm(self) -> float | None:
        """Its tempo, at the start of a mashup that changes it; None where it has no beat."""
        if self.plan is not None:
            return self.plan.grid.tempo_bpm
        return self.analysis.tempo_bpm if self.analysis and self.tempo_map else None

    @property
    def key(self) -> str | None:
        """Its key, such as `"A minor"`."""
        if self.plan is not None:
            return self.plan.key
        return None if self.analysis is None else self.analysis.key

    @property
    def camelot(self) -> str | None:
        """Position of its key on the Camelot wheel."""
        return None if self.key is None else camelot(self.key)

    @cached_property
    def markers(self) -> tuple[Marker, ...]:
        """Its places to mark, in order."""
        if self.plan is not None:
            return markers_of_plan(self.plan)
        return () if self.analysis is None else markers_of_analysis(self.analysis)

    @property
    def music_tags(self) -> SongTags:
        """Its tags with a title, tempo and key."""
        title = self.tags.title or SongTags.of({"title": self.title}).title
        return replace(self.tags, title=title).with_music(self.tempo_bpm, self.key, self.camelot)

    @cached_property
    def mix(self) -> Audio:
        """Its whole sound: of its file, or the sum of its stems.

        Raises:
            InvalidInput: a file cannot be decoded, or the song has none.
        """
        if self.file is not None:
            return decode(self.file, LIMITS)
        return summed(parts_of(self.tracks), self.title)

    @property
    def tempo_text(self) -> str:
        """End of the names of its folders, such as `127.53 BPM`."""
        tempo = self.music_tags.texts().get("tempo_bpm")
        return "without tempo" if tempo is None else f"{tempo} BPM"


def stem_tracks(stems: Mapping[str, Path | Audio]) -> tuple[ExportTrack, ...]:
    """Return the stems of a song, given by kind."""
    return tuple(
        ExportTrack(name=kind.replace("_", " "), kind=kind, source=source)
        for kind, source in stems.items()
    )


def tracks_of(rendered: Iterable[RenderedTrack]) -> tuple[ExportTrack, ...]:
    """Return the rendered tracks of a mashup."""
    return tuple(
        ExportTrack(
            name=f"{one.song} {one.kind.replace('_', ' ')}",
            kind=one.kind,
            source=Audio(one.audio.samples.cpu(), one.audio.sample_rate),
        )
        for one in rendered
    )


def parts_of(tracks: Iterable[ExportTrack]) -> list[ExportTrack]:
    """Return tracks that add up to the whole: one stem and the mix without it, or all stems."""
    by_kind = {track.kind: track for track in tracks}
    for kind, track in by_kind.items():
        if kind.startswith(COMPLEMENT_PREFIX) and kind.removeprefix(COMPLEMENT_PREFIX) in by_kind:
            return [by_kind[kind.removeprefix(COMPLEMENT_PREFIX)], track]
    return [track for track in tracks if not track.kind.startswith(COMPLEMENT_PREFIX)]


def summed(tracks: Iterable[ExportTrack], title: str) -> Audio:
    """Return the sum of tracks, as long as the longest.

    Raises:
        InvalidInput: there are no tracks, or their forms differ.
    """
    total: Audio | None = None
    for track in tracks:
        part = track.audio()
        if total is None:
            total = Audio(part.samples.clone(), part.sample_rate)
            continue
        if (part.sample_rate, part.channels) != (total.sample_rate, total.channels):
            raise InvalidInput(f"{title}: its stems differ in sample rate or channels")
        longer, shorter = sorted((total.samples, part.samples), key=lambda one: -one.shape[1])
        longer = longer if longer is total.samples else longer.clone()
        longer[:, : shorter.shape[1]] += shorter
        total = Audio(longer, part.sample_rate)
    if total is None:
        raise InvalidInput(f"{title}: no sound to export; give the song or its stems")
    return total


def require_tracks(song: ExportSong, purpose: str) -> tuple[ExportTrack, ...]:
    """Return the stems of a song.

    Raises:
        InvalidInput: it has none; the message names the purpose.
    """
    if not song.tracks:
        raise InvalidInput(f"{song.title}: no stems, which {purpose} needs; separate it")
    return song.tracks


def require_beats(song: ExportSong, purpose: str) -> TempoMap:
    """Return the beats of a song.

    Raises:
        InvalidInput: it has none; the message names the purpose.
    """
    if song.tempo_map is None:
        raise InvalidInput(f"{song.title}: no beat was found, which {purpose} needs")
    return song.tempo_map


def write_audio(
    target: Path,
    audio: Audio,
    tags: SongTags,
    options: EncodeOptions | None = None,
    *,
    chunks: Sequence[bytes] = (),
    temporary: Path | None = None,
) -> None:
    """Write a sound, as WAV with 24 bits unless options are given.

    Args:
        target: the file, which appears with all of its content.
        audio: the sound.
        tags: tags of the file.
        options: format of the file.
        chunks: chunks to append to a WAV file.
        temporary: new file to write instead, which the caller renames to `target`.

    Raises:
        StorageFailed: the file cannot be written; the message names `target`.
        InvalidInput: the format cannot hold the sound.
    """
    with ExitStack() as stack:
        path = temporary or stack.enter_context(atomic_path(target))
        with encode_into(
            path,
            target,
            options or EncodeOptions("wav", 24),
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            tags=tags,
        ) as writer:
            writer.write(audio.samples)
        if not chunks:
            return
        try:
            with path.open("r+b") as file:
                append_chunks(file, chunks)
        except OSError as error:
            raise cannot_write(target, error) from error
