"""`mashup find`: search a library of seed tracks for bars to mix."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.clock import clock
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.output import Output
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.exports.playlist import Excerpt
    from mashup_worker.seed.query import Query
    from mashup_worker.seed.search import Found, Passage

_COLUMNS = ("song", "from", "to", "bars", "BPM", "key", "section", "sure")


def find(
    library: Annotated[
        str, typer.Argument(help="Folder or s3://bucket/prefix that `mashup reprocess` wrote.")
    ],
    query: Annotated[
        str,
        typer.Argument(
            help="What to find, such as 'drums alone for 4 bars at 85-100 BPM', 'vocals in 8A or "
            "next to it', 'loops without voice', 'bass and drums in a chorus'."
        ),
    ] = "",
    stem: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Stem that plays; repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Stem that is silent; repeatable.")
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Nothing else sounds.")] = False,
    loops: Annotated[
        bool, typer.Option("--loops", help="Bars that repeat without a seam.")
    ] = False,
    bars: Annotated[
        int | None, typer.Option(min=1, help="Fewest bars, or the length of loops. [4; any loop]")
    ] = None,
    tempo: Annotated[
        str | None, typer.Option(metavar="BPM[-BPM]", help="Tempo or range of tempi.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Key, such as 8A or 'A minor'.")] = None,
    near: Annotated[
        bool, typer.Option("--near", help="Find the neighbors of the key, too.")
    ] = False,
    section: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE", help="intro, verse, chorus, drop, break or outro; repeatable."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show the best N only. [all]")
    ] = None,
    play_list: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a playlist (M3U8) of the passages.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search a library of seed tracks for bars to mix.

    The words of a query may stand in any order. Options add to it.
    """
    from mashup_worker.commands.reprocess.sources import S3, open_library
    from mashup_worker.seed.query import parse_query
    from mashup_worker.seed.search import search

    clauses = [
        query,
        *(stem or ()),
        *(f"without {one}" for one in without or ()),
        *(word for word, given in (("alone", alone), ("loops", loops)) if given),
        *([] if bars is None else [f"for {bars} bars"]),
        *([] if tempo is None else [f"at {tempo} BPM"]),
        *([] if key is None else [f"in {key}"]),
        *(["or next to it"] if near else ()),
        *(section or ()),
    ]
    with usage_errors():
        wanted = parse_query(", ".join(filter(None, clauses)))
        if play_list is not None and library.startswith(S3):
            raise InvalidInput(f"--play-list: {library} is no folder; copy the library first")
        if not library.startswith(S3) and not Path(library).is_dir():
            raise InvalidInput(f"{library}: no such folder; name one that `reprocess` wrote")
        opened = open_library(library)
    opened.load()
    records = opened.newest()
    if not records:
        lacks = "undamaged seed tracks" if opened.damaged else "seed tracks"
        raise InvalidInput(f"{library}: no {lacks} there; name what `mashup reprocess` wrote")
    found = search(records, wanted)
    shown = found.passages[:limit]
    printer = Output(as_json)
    printer.warnings(_doubts(found, opened.damaged))
    if play_list is not None:
        from mashup_worker.exports.playlist import write_excerpt_playlist

        write_excerpt_playlist(_excerpts(shown, Path(library), wanted), play_list)
    printer.json(
        {
            "songs": found.songs,
            "found": [one.as_dict() for one in shown],
            "more": len(found.passages) - len(shown),
            "outdated": list(found.outdated),
            "unknown": list(found.unknown),
            "damaged": list(opened.damaged),
        }
    )
    if not as_json:
        _print_table(shown, found)


def _doubts(found: Found, damaged: Sequence[str]) -> Iterator[str]:
    """Yield a line for songs that could not be searched."""
    if damaged:
        number = _songs(len(damaged))
        yield f"{number} damaged or lost files since; run `mashup reprocess` on them again"
    if found.outdated:
        number = _songs(len(found.outdated))
        yield f"{number} analyzed by an older release; run `mashup reprocess` on them again"
    if found.unknown:
        number = _songs(len(found.unknown))
        yield f"{number} stored with some stems only; reprocess them with all stems"


def _songs(count: int) -> str:
    return "1 song was" if count == 1 else f"{count} songs were"


def _excerpts(shown: Sequence[Passage], library: Path, query: Query) -> Iterator[Excerpt]:
    """Yield what to play: the stems that were asked for, or the song, or else all of its stems."""
    from mashup_worker.exports.playlist import Excerpt

    for one in shown:
        stems = {stem.kind: library / stem.key for stem in one.record.stems}
        files = {kind: stems[kind] for kind in stems if kind in query.kinds}
        song = Path(one.record.sources[0].name)
        if not files:
            files = {"": song} if song.is_file() else stems
        for kind, path in files.items():
            title = f"{one.record.title} ({kind})" if kind else one.record.title
            yield Excerpt(path=path, title=title, start_s=one.start_s, stop_s=one.stop_s)


def _print_table(shown: Sequence[Passage], found: Found) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    columns = [Column(name, no_wrap=name != "song", overflow="fold") for name in _COLUMNS]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    titles = Counter(one.record.title for one in {one.record.sha256: one for one in shown}.values())
    for one in shown:
        is_unique = titles[one.record.title] == 1
        name = one.record.title if is_unique else one.record.sources[0].name
        table.add_row(Text(name), *_cells(one))
    console = Console()
    if shown:
        console.print(table)
    songs = len({one.record.sha256 for one in found.passages})
    total = f"{len(found.passages)} found in {songs} of {found.songs} songs"
    more = f", the best {len(shown)} shown" if len(shown) < len(found.passages) else ""
    console.print(total + more, markup=False, highlight=False)


def _cells(one: Passage) -> list[str]:
    tempo_bpm, section = one.analysis.tempo_bpm, one.section
    return [
        clock(one.start_s, 1),
        clock(one.stop_s, 1),
        str(one.bars),
        "-" if tempo_bpm is None else f"{tempo_bpm:.1f}",
        one.analysis.camelot or "-",
        "-" if section is None else f"{section.label} {section.role or ''}".rstrip(),
        f"{one.confidence:.0%}",
    ]
