"""`mashup export` as installed: every kind of result, in every format, and how it ends."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import mido
import numpy as np
import pytest
import soundfile

from mashup_worker.vocabulary import EXPORTS
from tests.e2e.command import MIX, documents
from tests.unit.audio_fixtures import ffmpeg_found
from tests.unit.exports.daw import Daw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.e2e.command import Mashup

KINDS = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def song(mashup: Mashup) -> Path:
    """Folder of a song in stems, with its mix."""
    target = mashup.folder / "night"
    shutil.copytree(MIX.parent, target)
    return target


def test_stems_are_exported_in_every_format(mashup: Mashup, song: Path) -> None:
    names = [one for one in EXPORTS if ffmpeg_found or not one.startswith("native")]
    done = mashup.run("export", "night", "--to", ",".join(names), "-o", "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = documents(done.stdout)
    assert [one["format"] for one in found] == [*one_by_one(names), "rekordbox", "m3u8"]
    for one in found:
        assert one["input"] == (None if one["format"] in ("rekordbox", "m3u8") else "night")
        assert all((mashup.folder / path).is_file() for path in one["files"])
    daw = Daw(mashup.folder / "out/night.dawproject")
    assert len(daw.sounds) == 4
    (folder,) = (mashup.folder / "out").glob("night * BPM")
    mido.MidiFile(folder / "tempo map.mid")
    stems = [soundfile.read(folder / f"{kind}.wav")[0] for kind in KINDS]
    assert len({one.shape for one in stems}) == 1
    track = next(ET.parse(mashup.folder / "out/rekordbox.xml").iter("TRACK"))
    assert track.attrib["Location"].endswith("/night/mix.flac")
    assert track.find("TEMPO") is not None
    assert (mashup.folder / "out/playlist.m3u8").read_text().endswith("\n../night/mix.flac\n")
    assert song.is_dir()


def one_by_one(names: Sequence[str]) -> list[str]:
    return [one for one in names if one not in ("rekordbox", "m3u8")]


def test_a_mashup_is_exported_with_its_plan(mashup: Mashup, song: Path) -> None:
    made = mashup.run("mix", "night", "-o", "mashups/a.flac", "--length", "16", "-q")
    assert (made.returncode, made.stderr) == (0, "")
    names = "dawproject,stem-folder,rekordbox"
    for number, result in enumerate(("mashups/a.flac", "mashups/a.plan.json")):
        done = mashup.run("export", result, "--to", names, "-o", f"m{number}", "-q")
        assert (done.returncode, done.stderr) == (0, "")
    first, second = (Daw(mashup.folder / f"m{number}/a.dawproject") for number in range(2))
    assert first.archive.namelist() == second.archive.namelist()
    plan = json.loads((mashup.folder / "mashups/a.plan.json").read_text())
    tempo = first.top.find("Transport/Tempo")
    assert tempo is not None
    assert float(tempo.attrib["value"]) == pytest.approx(plan["grid"]["tempo_bpm"])
    assert song.is_dir()


def test_an_analysis_leads_to_its_song(mashup: Mashup, song: Path) -> None:
    shutil.copy(song / "mix.flac", mashup.folder / "one.flac")
    assert mashup.run("analyze", "one.flac", "-o", "found", "-q").returncode == 0
    done = mashup.run("export", "found/one.json", "--to", "click,m3u8", "-o", "c", "--root", "/dj")
    assert (done.returncode, done.stderr) == (0, "")
    assert (mashup.folder / "c/one click.wav").is_file()
    assert (mashup.folder / "c/playlist.m3u8").read_text().splitlines()[-1] == "/one.flac"


def test_what_a_song_lacks_is_one_line_and_the_rest_is_written(mashup: Mashup) -> None:
    mashup.song("still.wav", np.zeros(44_100))
    done = mashup.run("export", "still.wav", "--to", "click,wav,stem-folder", "-o", "s", "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "mashup: still.wav: still: no beat was found, which a click track needs",
        "mashup: still.wav: still: no stems, which a stem folder needs; separate it",
    ]
    assert [one.get("format") for one in documents(done.stdout)] == [None, "wav", None]
    assert (mashup.folder / "s/still markers.wav").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.wav", "--to", "mp4"), "--to mp4: unknown format 'mp4'; choose native-stem, "),
        (("a.wav", "--to", ","), "--to ,: no format; choose native-stem, "),
        (("none.json", "--to", "wav"), "none.json: neither a plan nor a JSON file of"),
    ],
)
def test_wrong_usage(mashup: Mashup, arguments: tuple[str, ...], message: str) -> None:
    done = mashup.run("export", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mashup: {message}")


def test_commands_export_beside_their_results(mashup: Mashup, song: Path) -> None:
    shutil.copy(song / "mix.flac", mashup.folder / "two.flac")
    names = ("--export", "click,dawproject,rekordbox")
    done = mashup.run(
        "separate",
        "two.flac",
        "--model",
        "lite",
        "-o",
        "parts",
        "--export",
        "click,dawproject,m3u8",
        "-q",
    )
    assert done.returncode == 0, done.stderr
    assert {"two click.wav", "two.dawproject"} <= files(mashup.folder / "parts/two")
    assert (mashup.folder / "parts/playlist.m3u8").read_text().endswith("\n../two.flac\n")
    done = mashup.run("analyze", "two.flac", "-o", "found2", "--export", "click,wav", "-q")
    assert done.returncode == 0, done.stderr
    assert files(mashup.folder / "found2") == {"two.json", "two click.wav", "two markers.wav"}
    done = mashup.run("mix", "night", "-o", "made/b.flac", "--length", "8", *names, "--json")
    assert done.returncode == 0, done.stderr
    assert [one.get("format") for one in documents(done.stdout)] == [
        None, "click", "dawproject", "rekordbox",
    ]  # fmt: skip
    assert {"b click.wav", "b.dawproject", "rekordbox.xml"} <= files(mashup.folder / "made")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
