"""Inputs of `mashup mix`: whole songs, folders of stems, and single stems."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import without_audio_suffix
from mashup_worker.commands.shared.batch import check_there
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.commands.shared.names import real_path
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, STEM_KINDS, stem_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mashup_worker.commands.shared.inputs import FoundSongs, Song
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader

KINDS = (*STEM_KINDS, *(COMPLEMENT_PREFIX + kind for kind in STEM_KINDS))
"""Kinds of input stems; `no_vocals` is a song without its vocals."""


@dataclass(frozen=True)
class StemArgument:
    """Parsed `--stem FILE:KIND[:SONG]`."""

    path: Path
    kind: str
    song: str


def stem_argument(text: str) -> StemArgument:
    """Parse `FILE:KIND` or `FILE:KIND:SONG`; the file name may contain colons.

    Without a song, a file named by its kind belongs to the song of its folder, as files of
    `mashup separate` do. Any other file is a song of its own.

    Raises:
        InvalidInput: the form or the kind is unknown.
    """
    fields = text.split(":")
    if len(fields) >= 3 and _kind(fields[-2]) in KINDS and fields[-1]:
        path, kind, song = Path(":".join(fields[:-2])), _kind(fields[-2]), fields[-1]
    elif len(fields) >= 2 and _kind(fields[-1]) in KINDS:
        path, kind = Path(":".join(fields[:-1])), _kind(fields[-1])
        song = real_path(path).parent.name if _kind(path.stem) == kind else path.stem
    else:
        raise InvalidInput(
            f"--stem {text}: not FILE:KIND or FILE:KIND:SONG; kinds are {', '.join(KINDS)}"
        )
    return StemArgument(path, kind, song)


def _kind(name: str) -> str:
    return stem_kind(name.lower())


def songs_of_stems(texts: Sequence[str]) -> list[SongFiles]:
    """Group stems into songs, in the order of the arguments; a stem named twice repeats its song.

    Raises:
        InvalidInput: as `stem_argument`, or a song has two stems of one kind.
    """
    from mashup_worker.pipelines.mashup.playlist import Playlist
    from mashup_worker.pipelines.mashup.songs import SongFiles

    stems = [stem_argument(text) for text in texts]
    playlist = Playlist({stem.song for stem in stems})
    by_song: dict[str, dict[str, Path]] = {}
    for text, stem in zip(texts, stems, strict=True):
        song = playlist.add(stem.song, {stem.kind: real_path(stem.path)})
        kinds = by_song.setdefault(song, {})
        if stem.kind in kinds:
            raise InvalidInput(
                f"--stem {text}: {song} already has {stem.kind}, {kinds[stem.kind]}; name "
                "another song (FILE:KIND:SONG)"
            )
        kinds[stem.kind] = stem.path
    return [SongFiles(song, kinds) for song, kinds in by_song.items()]


def songs_of_arguments(
    arguments: Sequence[str],
    on_found: Callable[[FoundSongs], None] = lambda _: None,
    *,
    repeats: bool = True,
) -> list[SongFiles]:
    """Group files, folders of stems and globs into songs with distinct names.

    A file named by its kind, as `mashup separate` writes it, is that stem of the song that its
    folder is named after. A song that several arguments name is repeated, unless
    `repeats` is false. `on_found` is called with what all arguments lead to.

    Raises:
        InvalidInput: a file is missing, or two songs have one name.
    """
    from mashup_worker.pipelines.mashup.playlist import Playlist
    from mashup_worker.pipelines.mashup.songs import MIX

    everything = find_songs(arguments, stem_folders=True)
    on_found(everything)
    named = {real_path(song.path): song for song in everything.songs}
    for song in named.values():
        check_there(song)
    paths = list(named)
    if repeats:
        each = [find_songs([argument], stem_folders=True).songs for argument in arguments]
        paths = [real_path(song.path) for songs in each for song in songs]
    found = [_files(named[path]) for path in paths]
    playlist = Playlist({files.name for files in found})
    songs: dict[str, SongFiles] = {}
    for one in found:
        parts = one.stems if one.whole is None else {MIX: one.whole}
        sources = {kind: real_path(path) for kind, path in parts.items()}
        files = replace(one, name=playlist.add(one.name, sources))
        known = songs.get(files.name)
        if known is not None:
            if files.whole or known.whole or files.stems.keys() & known.stems.keys():
                raise InvalidInput(
                    f"{files.paths[0]}: another song is named {files.name}; rename one"
                )
            files = replace(files, stems={**known.stems, **files.stems})
        songs[files.name] = files
    return list(songs.values())


def _files(song: Song) -> SongFiles:
    from mashup_worker.pipelines.mashup.songs import SongFiles

    kind = _kind(without_audio_suffix(song.path.name))
    if song.stems:
        return SongFiles(song.track, dict(song.stems))
    if kind in KINDS:
        return SongFiles(real_path(song.path).parent.name, {kind: song.path})
    return SongFiles(song.track, {}, song.path)


def song_loader(
    model: ModelRequest | None, device: str, on_progress: Callable[[str, float], None]
) -> SongLoader:
    """Return a loader of songs with the cache of the settings; `device` computes analyses.

    The model, if any, separates whole songs and is loaded when the first one is met.
    """
    from mashup_worker.commands.shared.failure import settings_or_fail
    from mashup_worker.commands.shared.model_choice import load_requested
    from mashup_worker.pipelines.mashup.song_cache import SongCache
    from mashup_worker.pipelines.mashup.songs import SongLoader

    settings = settings_or_fail()
    separator: Callable[[], Separator] | None = None
    if model is not None:
        separator = cache(lambda: load_requested(model, settings, quiet=True).separator)
    return SongLoader(
        SongCache(settings.song_cache),
        separator,
        device=device,
        on_progress=on_progress,
        weights_sha256=None if model is None else lambda: model.weights_sha256,
    )
