"""Results that can be exported: songs, stems, mashups, and analyses, with all that lies beside."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from mashup_worker.commands.shared.exports import song_to_export
from mashup_worker.commands.shared.folders import LIBRARY_RECORD, RECORD_STEM, RECORD_SUFFIX
from mashup_worker.commands.shared.inputs import Song, find_songs
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.commands.shared.inputs import FoundSongs
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.vocabulary import ExportName

PLAN_SUFFIX = ".plan.json"
_ANALYSIS_NAME = "analysis.json"


@dataclass(frozen=True)
class Result:
    """Song to export, with its plan if it is a mashup, and its analysis if it is known."""

    song: Song
    plan: Path | None = None
    analysis: Analysis | None = None


def find_results(
    arguments: Sequence[str], output_dir: Path, on_found: Callable[[FoundSongs], None]
) -> list[Result]:
    """Return the results that arguments name, documents before songs.

    `on_found` is called with the songs and the files that are left out.

    Raises:
        InvalidInput: a document is neither a plan nor an analysis, or folders overlap.
    """
    documents = [Path(one) for one in arguments if one.endswith(".json")]
    others = [one for one in arguments if not one.endswith(".json")]
    songs = find_songs(others, output_dir, stem_folders=True)
    on_found(songs)
    return [*map(_documented, documents), *map(_found, songs.songs)]


def _documented(path: Path) -> Result:
    from mashup_worker.analysis.document import parse_analysis

    if path.name.endswith(PLAN_SUFFIX):
        base = path.name.removesuffix(PLAN_SUFFIX)
        made = (path.with_name(f"{base}.{ending}") for ending in FORMATS)
        audio = next((one for one in made if one.is_file()), path)
        return Result(Song(audio, base), path)
    document = _read(path) or {}
    source_of, values = document.get("source"), document.get("analysis")
    if not isinstance(source_of, dict) or not isinstance(values, dict):
        raise InvalidInput(f"{path}: neither a plan nor a JSON file of `mashup analyze`")
    try:
        analysis = parse_analysis(values)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}") from error
    source = path.parent / str(source_of.get("path", ""))
    return Result(find_songs([str(source)], stem_folders=True).songs[0], analysis=analysis)


def _found(song: Song) -> Result:
    plan = song.path.with_suffix(PLAN_SUFFIX)
    if not song.stems and song.problem is None and plan.is_file():
        return Result(song, plan)
    if not song.stems:
        return Result(song)
    library = _read(song.path / LIBRARY_RECORD) or {}
    song = replace(song, track=str(library.get("title") or song.track))
    return Result(song, analysis=_analysis(_read(song.path / _ANALYSIS_NAME)))


def _read(path: Path) -> dict[str, Any] | None:
    """Return the object in a file of JSON; None without one."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _analysis(document: object) -> Analysis | None:
    from mashup_worker.analysis.document import read_analysis

    return read_analysis(document) if isinstance(document, dict) else None


def load_result(result: Result, names: Collection[ExportName], device: str) -> ExportSong:
    """Return a result with what formats need; a song that is not analyzed yet is analyzed.

    Raises:
        MashupError: a file cannot be decoded, or a mashup cannot be rendered.
    """
    if result.plan is not None:
        return _mashup(result, names, device)
    song = result.song
    whole = _whole(song) if song.stems else None
    return song_to_export(song, whole=whole, analysis=result.analysis, device=device)


def _whole(song: Song) -> Path | None:
    """Return the song of stems: a mix among them, or the one that their record leads to."""
    from mashup_worker.commands.shared.stem_records import StemRecord

    mixes = (song.path / f"mix.{ending}" for ending in FORMATS)
    if (mix := next((one for one in mixes if one.is_file()), None)) is not None:
        return mix
    record = StemRecord.read(song.path / f"{RECORD_STEM}{RECORD_SUFFIX}")
    if record is None:
        return None
    path = song.path / record.source.path
    return path if path.is_file() else None


def _mashup(result: Result, names: Collection[ExportName], device: str) -> ExportSong:
    from mashup_worker.audio.tag_reader import read_tags
    from mashup_worker.exports.export import need_tracks
    from mashup_worker.exports.song import ExportSong, tracks_of
    from mashup_worker.mixing.plan_document import load_plan
    from mashup_worker.pipelines.mashup.make import render_mix, sounds_of_plan
    from mashup_worker.pipelines.mashup.tags import mashup_tags, tags_of_plan

    assert result.plan is not None, "the caller checks"  # noqa: S101
    plan, folder = load_plan(result.plan), result.plan.parent
    file = result.song.path if result.song.path != result.plan else None
    rendered = need_tracks(names)
    sounds = sounds_of_plan(plan, folder) if rendered or "dawproject" in names else {}
    tracks = render_mix(plan, sounds, device=device).tracks if rendered else ()
    return ExportSong(
        title=PurePath(result.song.track).name,
        file=file,
        tracks=tracks_of(tracks),
        plan=plan,
        sounds=sounds,
        tags=mashup_tags(plan, tags_of_plan(plan, folder))
        if file is None
        else read_tags(file).tags,
    )
