"""Bars are found by what sounds in them, by key and tempo, and by their section."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mashup_worker.analysis.form.result import Bar, Loop, Section, SingingInterval
from mashup_worker.analysis.key_names import camelot
from mashup_worker.analysis.result import ANALYSIS_VERSION, Analysis
from mashup_worker.cli import app
from mashup_worker.seed.library import Library
from mashup_worker.seed.query import parse_query
from mashup_worker.seed.search import Found, search
from mashup_worker.storage.folder import FolderStorage
from tests.unit.seed.test_library import add, record_of

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.seed.record import SeedRecord

BAR_S = 2.0
SILENT_DB, LEAK_DB, KICK_DB, LOUD_DB = -60.0, -30.0, -19.0, -6.0


def analysis_of(players: dict[str, str], key: str = "A minor", tempo_bpm: float = 120) -> Analysis:
    """The analysis of a song with a letter a bar for each stem: plays, leaks (l, k) or rests."""
    bars = len(players["drums"])
    levels = {"x": LOUD_DB, "k": KICK_DB, "l": LEAK_DB, ".": SILENT_DB}
    edges_s = [index * BAR_S for index in range(bars + 1)]
    half = edges_s[bars // 2]
    return Analysis(
        duration_s=edges_s[-1],
        tempo_bpm=tempo_bpm,
        tempo_confidence=0.9,
        key=key,
        camelot=camelot(key),
        key_confidence=0.8,
        sections=(
            Section(0.0, half, "A", 0.9, "verse", 0.7),
            Section(half, edges_s[-1], "B", 0.9, "chorus", 0.6),
        ),
        singing_known=True,
        singing=tuple(
            SingingInterval(edges_s[index], edges_s[index + 1], 0.95)
            for index, letter in enumerate(players["vocals"])
            if letter == "x"
        ),
        bars=tuple(
            Bar(edges_s[index], 0.5, -6.0,
                stems_db={kind: levels[row[index]] for kind, row in players.items()})
            for index in range(bars)
        ),
        loops=(Loop(0.0, edges_s[4], 4, 0.9), Loop(edges_s[4], edges_s[8], 4, 0.8)),
    )  # fmt: skip


SONG = {
    "drums": "xxxxxxxx........",
    "bass":  "....xxxxxxxx....",
    "other": "llllllllxxxx....",
    "vocals": ".....xx..xx.xxxx",
}  # fmt: skip


def song(sha256: str = "1" * 64, analysis: Analysis | None = None) -> SeedRecord:
    made = analysis or analysis_of(SONG)
    record = record_of(sha256, analysis=ANALYSIS_VERSION)
    return record.model_copy(update={"analysis": made.as_dict(), "title": sha256[0]})


def spans(found: Found) -> list[tuple[float, int]]:
    return [(one.start_s / BAR_S, one.bars) for one in found.passages]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("drums", [(0, 8)]),
        ("drums alone", [(0, 4)]),
        ("drums alone for 8 bars", []),
        ("drums and bass", [(4, 4)]),
        ("drums and bass alone for 1 bar", [(4, 1), (7, 1)]),
        ("bass without drums", [(8, 4)]),
        ("vocals", [(9, 7)]),
        ("vocals alone", [(12, 4)]),
        ("vocals for 2 bars", [(5, 2), (9, 7)]),
        ("drums in a chorus", []),
        ("drums in a verse", [(0, 8)]),
        ("loops", [(0, 4), (4, 4)]),
        ("loops without voice", [(0, 4)]),
        ("8 bars loops", []),
        ("at 119-121 BPM", [(0, 16)]),
        ("at 80-90 BPM", []),
    ],
)
def test_bars_fit_the_query(query: str, expected: list[tuple[float, int]]) -> None:
    assert sorted(spans(search([song()], parse_query(query)))) == expected


def test_the_key_itself_comes_before_its_neighbors() -> None:
    keys = {"1": "E minor", "2": "A minor", "3": "F# major", "4": "C major"}
    records = [song(one * 64, analysis_of(SONG, key)) for one, key in keys.items()]
    found = search(records, parse_query("drums in 8A or next to it"))
    assert [one.record.title for one in found.passages] == ["2", "1", "4"]
    assert [one.key_distance for one in found.passages] == [0, 1, 1]


def test_confidence_is_that_of_the_least_sure_answer() -> None:
    first = search([song()], parse_query("drums in a verse at 120 BPM in 8A")).passages[0]
    assert first.confidence == 0.7
    assert search([song()], parse_query("drums in 8A")).passages[0].confidence == 0.8
    assert search([song()], parse_query("drums")).passages[0].confidence == 1


@pytest.mark.parametrize(
    ("bass", "expected"), [("kkkkkkkkxxxxxxxx", [(0, 8)]), ("k" * 16, []), ("x" * 16, [])]
)
def test_a_kick_that_leaks_into_a_bass_is_no_bass(
    bass: str, expected: list[tuple[float, int]]
) -> None:
    players = {"drums": "x" * 16, "bass": bass, "other": "l" * 16, "vocals": "." * 16}
    found = search([song(analysis=analysis_of(players))], parse_query("drums alone"))
    assert spans(found) == expected


def test_songs_that_cannot_be_searched_are_named() -> None:
    made = analysis_of(SONG)
    whole = replace(made, bars=tuple(replace(bar, stems_db={}) for bar in made.bars))
    records = [record_of("3" * 64), song("2" * 64, whole), song()]
    found = search(records, parse_query("drums"))
    assert found.outdated == ("Ön\u2028e",)
    assert found.unknown == ("2",)
    assert found.songs == 3
    assert len(search(records, parse_query("in 8A")).passages) == 2


def test_a_song_without_bars_holds_nothing() -> None:
    assert not search([song(analysis=Analysis(duration_s=3.0))], parse_query("drums")).passages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    library = Library(FolderStorage(tmp_path / "library", keeps_metadata=False))
    add(library, song(), tmp_path)
    add(library, song("2" * 64, analysis_of(SONG, "D minor", 90)), tmp_path)
    return tmp_path / "library"


def test_options_mean_what_words_mean(folder: Path) -> None:
    words = ["vocals without drums for 2 bars at 85-100 BPM in 8A or next to it in a chorus"]
    options = ["--stem", "vocals", "--without", "drums", "--bars", "2", "--tempo", "85-100",
               "--key", "8A", "--near", "--section", "chorus"]  # fmt: skip
    got = [CliRunner().invoke(app, ["find", str(folder), *one, "--json"])
           for one in (words, options)]  # fmt: skip
    assert got[0].output == got[1].output
    document = json.loads(got[0].output)
    assert [one["title"] for one in document["found"]] == ["2"]
    assert document["found"][0]["section"] == {"label": "B", "role": "chorus"}


def test_the_playlist_starts_the_stem_at_the_passage(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "lists" / "found.m3u8"
    target.parent.mkdir()
    got = CliRunner().invoke(
        app, ["find", str(folder), "vocals at 120 BPM", "--play-list", str(target)]
    )
    assert got.exit_code == 0, got.output
    assert "1 found in 1 of 2 songs" in got.output
    lines = target.read_text().splitlines()
    assert lines[:4] == [
        "#EXTM3U",
        "#EXTINF:14,1 (vocals)",
        "#EXTVLCOPT:start-time=18.000",
        "#EXTVLCOPT:stop-time=32.000",
    ]
    assert (target.parent / lines[4]).resolve().name == "vocals.flac"


def test_a_folder_without_a_library_is_no_library(tmp_path: Path) -> None:
    for place, part in ((tmp_path / "none", "no such folder"), (tmp_path, "no seed tracks")):
        got = CliRunner().invoke(app, ["find", str(place), "drums"])
        assert got.exit_code
        assert part in str(got.exception or "") + got.output


def test_damaged_songs_are_counted(folder: Path) -> None:
    first, *others = sorted(folder.rglob("song.json"))
    first.write_bytes(first.read_bytes()[:-40])
    got = CliRunner().invoke(app, ["find", str(folder), "vocals"])
    assert got.exit_code == 0
    assert "1 song was damaged or lost files since; run `mashup reprocess`" in got.stderr
    assert "of 1 songs" in got.stdout
    for other in others:
        other.write_bytes(b"")
    got = CliRunner().invoke(app, ["find", str(folder), "vocals"])
    assert "no undamaged seed tracks" in str(got.exception)
