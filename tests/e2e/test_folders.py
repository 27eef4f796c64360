"""Folders of songs as installed: what is found, what is left out, and what is known from before."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.checkpoints import save_bag
from tests.e2e.command import STEMS, documents, excerpt
from tests.unit.audio_fixtures import ffmpeg, ffmpeg_found, music

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

LITE = ("--model", "lite", "--stems", "vocals")
SKIP = (*LITE, "--skip-existing", "--json")

CONTAINERS = {
    "TONE.AIFF": ("AIFF", "PCM_16"),
    "tone.w64": ("W64", "PCM_16"),
    "tone.rf64": ("RF64", "PCM_16"),
    "tone.caf": ("CAF", "PCM_16"),
    "tone.au": ("AU", "PCM_16"),
    "tone.MP3": ("MP3", "MPEG_LAYER_III"),
    "tone.ogg": ("OGG", "VORBIS"),
    "tone.opus": ("OGG", "OPUS"),
    "tone.flac": ("FLAC", "PCM_16"),
    "without suffix": ("WAV", "PCM_16"),
    "...And Justice.wav": ("WAV", "PCM_16"),
    ".hidden.flac": ("FLAC", "PCM_16"),
    ".dots/deep.wav": ("WAV", "PCM_24"),
    "new\nline.wav": ("WAV", "PCM_16"),
    "x" * 251 + ".wav": ("WAV", "PCM_16"),
}
"""Container and coding of songs by name."""

OF_FFMPEG = ("tone.m4a", "tone.mov", "tone.webm", "tone.mkv", "tone.wma", "tone.ac3")


def _make(folder: Path, *, names: dict[str, tuple[str, str]], duration_s: float = 0.2) -> None:
    for number, (name, (container, subtype)) in enumerate(names.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sample_rate = 48_000 if subtype == "OPUS" else 44_100
        samples = excerpt(duration_s, 8.0 + number)
        soundfile.write(path, samples, sample_rate, format=container, subtype=subtype)


@pytest.fixture(scope="module")
def songs(mashup: Mashup) -> set[str]:
    """A folder with songs of all kinds and with other files; the paths of the songs."""
    folder = mashup.folder / "in"
    _make(folder, names=CONTAINERS)
    found = {f"in/{name}" for name in CONTAINERS}
    if ffmpeg_found:
        for name in OF_FFMPEG:
            codec = ("-c:a", "aac") if name.endswith((".mov", ".mkv")) else ()
            ffmpeg(music(0.2, 48_000), folder / name, *codec)
            found.add(f"in/{name}")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(900))
    (folder / ".dots/notes.txt").write_text("no song")
    (folder / "._tone.flac").write_bytes(b"\0\5\x16\7" + bytes(90))
    (folder / ".git").mkdir()
    shutil.copy(folder / "tone.flac", folder / ".git/tone.flac")
    _make(mashup.folder / "shelf", names={"far.wav": ("WAV", "PCM_16")})
    (folder / "shelf").symlink_to("../shelf")
    (mashup.folder / "shelf/back").symlink_to("../in")
    (folder / ".dots/up").symlink_to("..")
    (folder / "copy.flac").symlink_to("tone.flac")
    return found | {"in/shelf/far.wav"}


@pytest.fixture(scope="module")
def first(mashup: Mashup, songs: set[str]) -> CompletedProcess[str]:
    assert songs
    return mashup.run("separate", "in", "in", "-o", "in/stems", *LITE, "--json")


def test_every_song_of_a_folder_is_separated_once(
    mashup: Mashup, songs: set[str], first: CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stderr
    lines = documents(first.stdout)
    assert {line["input"] for line in lines} == songs
    assert len(lines) == len(songs)
    made = {line["stems"][0]["path"] for line in lines}
    assert len(made) == len(songs)
    assert all(soundfile.info(mashup.folder / path).frames > 0 for path in made)
    assert {"in/stems/...And Justice/vocals.flac", "in/stems/.dots/deep/vocals.flac"} <= made


def test_what_is_left_out_is_counted_on_stderr(first: CompletedProcess[str]) -> None:
    count, *others = first.stderr.splitlines()
    assert count == (
        "mashup: left out 3 files that are not audio: in/._tone.flac, in/cover.jpg and 1 more"
    )
    assert not [line for line in others if "left out" in line]


def test_the_next_run_skips_all_and_reads_no_results(
    mashup: Mashup, songs: set[str], first: CompletedProcess[str]
) -> None:
    assert first.returncode == 0
    again = mashup.run("separate", "in", "-o", "in/stems", *SKIP)
    assert again.returncode == 0
    assert {line["input"] for line in documents(again.stdout) if line["skipped"]} == songs
    plan = ("separate", "in", "-o", "elsewhere", *LITE, "--dry-run", "--json")
    planned = mashup.run(*plan)
    assert {line["input"] for line in documents(planned.stdout)} == songs
    assert f"; {len(songs)} stems of earlier runs: " in planned.stderr
    quiet = mashup.run(*plan, "-q")
    assert quiet.stderr == ""


def test_analyses_beside_the_songs_are_not_counted(mashup: Mashup) -> None:
    names = {"a.wav": ("WAV", "PCM_16"), ".b.flac": ("FLAC", "PCM_16")}
    _make(mashup.folder / "few", names=names)
    (mashup.folder / "few/cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(900))
    options = ("few", "-o", "few", "--plot", "few", "--skip-existing", "--json")
    for skipped in (None, True):
        done = mashup.run("analyze", *options)
        lines = {line["input"]: line.get("skipped") for line in documents(done.stdout)}
        assert lines == {"few/a.wav": skipped, "few/.b.flac": skipped}
        assert done.stderr == "mashup: left out 1 file that is not audio: few/cover.jpg\n"
    results = {f"{name}.{suffix}" for name in ("a", ".b") for suffix in ("json", "png")}
    assert mashup.files("few") == {*names, "cover.jpg", *results}


def test_reprocess_counts_what_it_leaves_out(mashup: Mashup) -> None:
    _make(mashup.folder / "seeds", names={".one.wav": ("WAV", "PCM_16")})
    (mashup.folder / "seeds/cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(900))
    options = ("seeds", "--to", "seeds/library", "--model", "lite", "--json")
    for outcome in ("processed", "existing"):
        done = mashup.run("reprocess", *options)
        song, summary = documents(done.stdout)
        assert (song["input"], song["outcome"]) == ("seeds/.one.wav", outcome)
        assert summary["left_out"] == 1
        assert done.stderr == "mashup: left out 1 file that is not audio: seeds/cover.jpg\n"
    # The stems of the library are no songs of another command.
    planned = mashup.run("separate", "seeds", *LITE, "--dry-run", "--json")
    assert [line["input"] for line in documents(planned.stdout)] == ["seeds/.one.wav"]


def _sources(mashup: Mashup, folder: str) -> dict[str, str]:
    """The song that each record in a folder names, by the folder of the record."""
    top = mashup.folder / folder
    records = {path.parent: json.loads(path.read_text()) for path in top.rglob("separation.json")}
    return {
        str(path.relative_to(top)): os.path.normpath(f"{path}/{record['source']['path']}")
        for path, record in records.items()
    }


def test_songs_of_one_name_are_kept_from_each_other(mashup: Mashup) -> None:
    names = ("a/song.wav", "b/song.wav", "b/Song.wav", "b/song.flac", "c/e\u0301.wav", "c/é.wav")
    _make(mashup.folder / "names", names={
        name: (name[-4:].strip(".").upper(), "PCM_16") for name in names
    })  # fmt: skip
    given = [f"names/{name}" for name in names]
    done = mashup.run("separate", *given, "-o", "named", *LITE, "--json")
    assert done.returncode == 0
    sources = _sources(mashup, "named")
    assert sorted(sources.values()) == sorted(str(mashup.folder / name) for name in given)
    assert len({folder.casefold() for folder in sources}) == len(names)
    again = mashup.run("separate", *given, "-o", "named", *SKIP)
    assert [line["skipped"] for line in documents(again.stdout)] == [True] * len(names)


def _one(done: CompletedProcess[str]) -> dict[str, Any]:
    (line,) = documents(done.stdout)
    return line


def test_another_song_of_the_same_name_is_an_error_and_the_others_go_on(mashup: Mashup) -> None:
    wav = ("WAV", "PCM_16")
    _make(mashup.folder / "one", names={"intro.wav": wav})
    _make(mashup.folder / "two", names={"outro.wav": wav, "intro.wav": wav})
    assert mashup.run("separate", "one", "-o", "albums", *LITE, "-q").returncode == 0
    stem = mashup.folder / "albums/intro/vocals.flac"
    kept = stem.read_bytes()
    done = mashup.run("separate", "two", "-o", "albums", *SKIP)
    assert done.returncode == 1
    lines = {line["input"]: line for line in documents(done.stdout)}
    assert lines["two/intro.wav"]["error"]["code"] == "invalid_input"
    assert lines["two/outro.wav"]["stems"]
    failure = next(line for line in done.stderr.splitlines() if "two/intro.wav" in line)
    assert "stems of another song, ../../one/intro.wav; choose another --output-dir" in failure
    assert stem.read_bytes() == kept
    # The same song from another folder is known, and a later version of it replaces its stems.
    shutil.copytree(mashup.folder / "one", mashup.folder / "moved")
    assert _one(mashup.run("separate", "moved", "-o", "albums", *SKIP))["skipped"]
    _make(mashup.folder / "one", names={"intro.wav": wav}, duration_s=0.3)
    assert "skipped" not in _one(mashup.run("separate", "one", "-o", "albums", *SKIP))
    assert len(mashup.read("albums/intro/vocals.flac")) == round(0.3 * 44_100)


def test_changed_settings_are_no_finished_result(mashup: Mashup, repository: Path) -> None:
    _make(mashup.folder / "set", names={"song.wav": ("WAV", "PCM_16")})
    network = ("--model-repo", str(repository), "--model", "htdemucs")
    changes = (
        (),
        ("--bit-depth", "24"),
        ("--format", "mp3"),
        ("--format", "mp3", "--bitrate", "96"),
        ("--stems", "vocals,drums"),
        network,
        (*network, "--shifts", "1"),
    )
    for change in changes:
        done = [mashup.run("separate", "set", "-o", "sets", *SKIP, *change) for _ in range(2)]
        assert [_one(one).get("skipped", False) for one in done] == [False, True], change
    planned = mashup.run("separate", "set", "-o", "sets", *SKIP, *changes[-1], "--dry-run")
    assert _one(planned)["skipped"]
    shutil.copytree(repository, mashup.folder / "other weights")
    save_bag(mashup.folder / "other weights", "htdemucs", models=["ht1"])
    other = (*SKIP, "--model-repo", "other weights", "--model", "htdemucs", "--shifts", "1")
    assert "skipped" not in _one(mashup.run("separate", "set", "-o", "sets", *other))


def test_a_preview_is_finished_only_while_the_model_is_unavailable(
    mashup: Mashup, repository: Path
) -> None:
    _make(mashup.folder / "auto", names={"song.wav": ("WAV", "PCM_16")})
    options = ("separate", "auto", "-o", "autos", "--stems", "vocals", "--skip-existing", "--json")
    lines = [_one(mashup.run(*options)) for _ in range(2)]
    assert (lines[0]["model"], lines[1].get("skipped")) == ("lite", True)
    network = (*options, "--model-repo", str(repository))
    lines = [_one(mashup.run(*network)) for _ in range(2)]
    assert (lines[0]["model"], lines[1].get("skipped")) == ("htdemucs", True)


def test_a_killed_run_continues(mashup: Mashup) -> None:
    names = {f"{number}.wav": ("WAV", "PCM_16") for number in range(12)}
    _make(mashup.folder / "many", names=names, duration_s=1.0)
    target = mashup.folder / "killed"
    options = ("separate", "many", "-o", "killed", "--model", "lite", "--jobs", "2")
    with mashup.process(*options) as process:
        until_s = time.monotonic() + 600
        while len(list(target.rglob("separation.json"))) < 2:
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.002)
        process.kill()
        process.communicate()
    done = mashup.run(*options, "--skip-existing", "--json")
    assert done.returncode == 0, done.stderr
    lines = documents(done.stdout)
    skipped = [line["input"] for line in lines if line.get("skipped")]
    assert 1 <= len(skipped) < len(names) == len(lines)
    for name in names:
        mix = mashup.read(f"many/{name}")
        stems = [mashup.read(f"killed/{Path(name).stem}/{stem}.flac") for stem in STEMS]
        assert np.abs(sum(stems) - mix).max() < 1e-3
    again = mashup.run(*options, "--skip-existing", "--json")
    assert [line["skipped"] for line in documents(again.stdout)] == [True] * len(names)
