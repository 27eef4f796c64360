"""Tags of a mashup, from those of its songs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.analysis.key_names import camelot
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.audio.tag_reader import read_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mashup_worker.mixing.plan import Plan


def tags_of_plan(plan: Plan, folder: Path) -> dict[str, SongTags]:
    """Return the tags of each song of a plan; relative paths start at `folder`."""
    tags: dict[str, SongTags] = {}
    for source in plan.sources.values():
        if source.song not in tags:
            tags[source.song] = read_tags(folder / source.path).tags.of_song(source.kind)
    return tags


def mashup_tags(plan: Plan, songs: Mapping[str, SongTags]) -> SongTags:
    """Return the tags of a mashup: titles, artists and a cover of its songs, tempo and key.

    Args:
        plan: plan of the mashup.
        songs: tags of its songs by the names in the plan; a song without a title gives its name.
    """
    names = dict.fromkeys(source.song for source in plan.sources.values())
    used = [songs.get(name, NO_TAGS) for name in names]
    titles = [one.title or name for name, one in zip(names, used, strict=True)]
    artists = [one.artist for one in used]
    texts = {"title": _joined(titles, " vs. "), "artist": _joined(artists, "; ")}
    cover = next((one.cover for one in used if one.cover is not None), None)
    tags = replace(SongTags.of(texts), cover=cover)
    return tags.with_music(
        plan.grid.tempo_bpm, plan.key, None if plan.key is None else camelot(plan.key)
    )


def _joined(texts: Iterable[str | None], between: str) -> str:
    return between.join(dict.fromkeys(text for text in texts if text))
