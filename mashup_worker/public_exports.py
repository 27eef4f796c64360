"""Python interface of exports; its name is imported from `mashup_worker`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.export import COLLECTIONS, export_collection, export_names, export_song
from mashup_worker.exports.song import ExportSong, stem_tracks, tracks_of
from mashup_worker.pipelines.mashup.make import MashupResult, sounds_of_plan
from mashup_worker.public import analyze
from mashup_worker.vocabulary import by_stem_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.public import AudioFile
    from mashup_worker.vocabulary import ExportName

    Stems = Mapping[str, Audio] | Mapping[str, AudioFile]


def export(
    song: AudioFile | Stems | MashupResult,
    output_dir: AudioFile,
    formats: Sequence[ExportName] | ExportName,
    *,
    title: str | None = None,
    analysis: Analysis | None = None,
    device: str = "cpu",
) -> list[Path]:
    """Write a song or a mashup as files for DJ programs and DAWs, and return these.

    Args:
        song: a file; stems by kind, in memory or as files; or the result of `mashup`.
        output_dir: folder of the files; files of an earlier export are replaced.
        formats: formats of `mashup export`, such as `"dawproject"` or `["rekordbox", "loops"]`.
        title: title that programs show; that of the tags, or the name of the file, by default.
        analysis: analysis of the song, which is analyzed without one.
        device: where most features of an analysis are computed.

    Raises:
        InvalidInput: a file cannot be decoded, a format is unknown, or the song lacks what a format
            needs, such as stems or a beat.
        EngineUnavailable: a program that a format needs is not installed.
        StorageFailed: a file cannot be written.
    """
    names = export_names([formats] if isinstance(formats, str) else formats, "formats")
    if isinstance(song, MashupResult):
        found = _mashup(song, title, names)
    elif isinstance(song, Mapping):
        found = _stems(song, title, analysis or analyze(song, device=device))
    else:
        file = Path(song)
        known = analysis or analyze(file, device=device)
        found = ExportSong(
            title=title or file.stem, file=file, analysis=known, tags=read_tags(file).tags
        )
    folder, written = Path(output_dir), []
    for name in names:
        if name in COLLECTIONS:
            written += export_collection([found], name, folder)
        else:
            written += export_song(found, name, folder)
    return written


def _mashup(result: MashupResult, title: str | None, names: Sequence[ExportName]) -> ExportSong:
    file = result.master.path
    return ExportSong(
        title=title or file.stem,
        file=file,
        tracks=tracks_of(result.render.tracks),
        plan=result.plan,
        sounds=sounds_of_plan(result.plan, Path()) if "dawproject" in names else {},
        tags=read_tags(file).tags,
    )


def _stems(stems: Stems, title: str | None, analysis: Analysis) -> ExportSong:
    try:
        by_kind = by_stem_kind(stems)
    except ValueError as error:
        raise InvalidInput(f"export: {error}") from error
    sources = {k: one if isinstance(one, Audio) else Path(one) for k, one in by_kind.items()}
    kind, first = next(iter(sources.items()))
    name, tags = "song", NO_TAGS
    if isinstance(first, Path):
        name, tags = first.absolute().parent.name, read_tags(first).tags.of_song(kind)
    return ExportSong(
        title=title or name, tracks=stem_tracks(sources), analysis=analysis, tags=tags
    )
