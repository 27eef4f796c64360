"""What can't be done ends with one line that names it and says why, and leaves no file behind."""

from __future__ import annotations

import shutil
import struct
from typing import TYPE_CHECKING, NamedTuple

import pytest
import soundfile
import torch

from tests.e2e.command import documents, excerpt
from tests.unit.audio_fixtures import truncate

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]


class Bad(NamedTuple):
    """A call that must fail, its exit code, and words of the line that it ends with."""

    arguments: str
    code: int
    words: tuple[str, ...]


FILES = {
    "missing": Bad("missing.wav", 1, ("missing.wav", "no such file")),
    "empty": Bad("empty.wav", 1, ("empty.wav", "empty")),
    "no sound": Bad("header.wav", 1, ("header.wav", "no audio")),
    "text": Bad("text.mp3", 1, ("text.mp3", "cannot decode")),
    "truncated flac": Bad("cut.flac", 1, ("cut.flac", "truncated")),
    "truncated mp3": Bad("cut.mp3", 1, ("cut.mp3", "truncated")),
    "header claims more": Bad("more.wav", 1, ("more.wav", "truncated")),
    "no songs": Bad("nothing-here", 1, ("nothing-here", "no songs")),
    "own stem": Bad(
        "drums.wav --format wav --name-template {stem}.{ext} -o .", 1, ("drums.wav", "overwrite")
    ),
    "not a folder": Bad("song.wav -o text.mp3/stems", 3, ("text.mp3/stems", "Not a directory")),
    "model of the repository": Bad("song.wav --model htdemux", 2, ("htdemux", "htdemucs_ft")),
}
"""Calls with a model repository."""

USAGE = {
    "device": Bad("song.wav --device toaster", 2, ("toaster", "cuda")),
    "precision": Bad("song.wav --precision fp8", 2, ("fp8", "bf16")),
    "model": Bad("song.wav --model htdemux", 2, ("htdemux", "htdemucs_ft", "lite")),
    "stem": Bad("song.wav --stems vocals,banjo", 2, ("banjo", "drums, bass, other, vocals")),
    "stems": Bad("song.wav --stems drums --two-stems vocals", 2, ("--stems", "--two-stems")),
    "bit depth": Bad("song.wav --format mp3 --bit-depth 24", 2, ("mp3", "bit depth")),
    "overlap": Bad("song.wav --overlap 1", 2, ("overlap", "below 1")),
    "name template": Bad("song.wav --name-template {track}.wav", 2, ("{track}.wav", "{stem}")),
    "no network": Bad("song.wav --model htdemucs", 3, ("htdemucs", "MASHUP_OFFLINE")),
    "no device": Bad("song.wav --device cuda", 3, ("cuda",)),
}
"""Calls without one."""

CASES = FILES | USAGE


@pytest.fixture(scope="module")
def runs(mashup: Mashup, repository: Path) -> Runs:
    """All of the calls, under way."""
    _make_files(mashup, repository)
    model = ("--model-repo", str(repository), "--model", "htdemucs")
    output = {name: f"{name} stems" for name in CASES}
    started = {
        name: mashup.start("separate", "-o", output[name], *model, *bad.arguments.split())
        for name, bad in FILES.items()
    }
    for name, bad in USAGE.items():
        started[name] = mashup.start("separate", "-o", output[name], *bad.arguments.split())
    songs = ("song.wav", "drums.wav", "--json", "--model", "htdemucs")
    started["json, no network"] = mashup.start("separate", *songs)
    started["json, tampered"] = mashup.start("separate", *songs, "--model-repo", "tampered")
    started["claims less"] = mashup.start("separate", "less.wav", "-o", "less", *model)
    return started


def _make_files(mashup: Mashup, repository: Path) -> None:
    song = mashup.folder / mashup.song("song.wav")
    shutil.copy(song, mashup.folder / "drums.wav")
    soundfile.write(mashup.folder / "header.wav", excerpt(1.0)[:0], 44_100)
    (mashup.folder / "empty.wav").touch()
    (mashup.folder / "text.mp3").write_text("This is not music.\n" * 500)
    (mashup.folder / "nothing-here").mkdir()
    shutil.copy(mashup.folder / "text.mp3", mashup.folder / "nothing-here" / "notes.txt")
    for name in ("cut.flac", "cut.mp3"):
        truncate(mashup.folder / mashup.song(name), 0.6)

    content = bytearray(song.read_bytes())
    size_at = content.index(b"data") + 4
    (size,) = struct.unpack_from("<I", content, size_at)
    for name, claimed in [("more.wav", 2 * size), ("less.wav", size // 2)]:
        struct.pack_into("<I", content, size_at, claimed)
        (mashup.folder / name).write_bytes(content)

    shutil.copytree(repository, mashup.folder / "tampered")
    (weights,) = (mashup.folder / "tampered").glob("ht0-*.th")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


@pytest.mark.parametrize("name", CASES)
def test_each_failure_is_one_line(mashup: Mashup, runs: Runs, name: str) -> None:
    if name == "no device" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = runs[name].result()
    assert done.returncode == CASES[name].code
    assert done.stdout == ""
    (line,) = (line for line in done.stderr.splitlines() if "left out 1 file" not in line)
    assert [word for word in CASES[name].words if word not in line] == []
    assert mashup.files(f"{name} stems") == set()


def test_a_song_is_never_replaced_by_its_stem(mashup: Mashup, runs: Runs) -> None:
    runs["own stem"].result()
    song, untouched = ((mashup.folder / name).read_bytes() for name in ("drums.wav", "song.wav"))
    assert song == untouched
    assert not (mashup.folder / "bass.wav").exists()


def test_sound_beyond_the_declared_length_is_reported(runs: Runs) -> None:
    assert "less.wav" in runs["claims less"].result().stderr


@pytest.mark.parametrize("name", ["json, no network", "json, tampered"])
def test_without_a_model_every_song_has_its_line_of_json(runs: Runs, name: str) -> None:
    done = runs[name].result()
    assert done.returncode == 3
    lines = documents(done.stdout)
    assert [line["input"] for line in lines] == ["song.wav", "drums.wav"]
    for line in lines:
        assert line.keys() == {"input", "error"}
        assert line["error"].keys() == {"code", "message"}
        assert line["error"]["code"] == "model_unavailable"


@pytest.mark.parametrize(
    ("name", "words"),
    [("json, no network", ("MASHUP_OFFLINE",)), ("json, tampered", ("tampered/ht0-", "SHA-256"))],
)
def test_a_failure_of_all_songs_is_reported_once(
    runs: Runs, name: str, words: tuple[str, ...]
) -> None:
    done = runs[name].result()
    assert done.returncode == 3
    assert [done.stderr.count(word) for word in words] == [1] * len(words)


def test_a_worker_without_settings_is_not_restarted(mashup: Mashup) -> None:
    done = mashup.run("worker")
    assert done.returncode == 3
    assert "DATABASE_URL: not set" in done.stderr
    assert "restarting" not in done.stderr
