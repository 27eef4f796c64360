"""`mashup master` as installed: the file it makes, what it says of it, and how it ends."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mashup_worker.audio.decode import decode
from mashup_worker.audio.song_tags import SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.audio.tag_writers import write_tags
from mashup_worker.dsp.loudness import measure
from mashup_worker.vocabulary import DEFAULT_LOUDNESS_LUFS
from tests.e2e.command import MIX, documents, excerpt

if TYPE_CHECKING:
    from concurrent.futures import Future
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]

TAGS = SongTags(title="Song", artist="A", date="1999", cover=b"\xff\xd8\xff" + bytes(2_000))

FAILURES = {
    "no file": (("nothing.flac", "-o", "out/nothing.wav"), 1, "nothing.flac: No such file"),
    "ending": (("song.flac", "-o", "out/song.xyz"), 2, "out/song.xyz: unknown audio format"),
    "itself": (("song.flac", "-o", "link.flac"), 2, "-o link.flac: it would overwrite the song"),
    "loudness": (("song.flac", "-o", "out/a.wav", "--loudness", "3"), 2, "loudness 3 LUFS"),
    "compress": (("song.flac", "-o", "out/c.wav", "--compress", "99"), 2, "--compress 99"),
    "folder": (("song.flac", "-o", "text.mp3/e.wav"), 3, "text.mp3/e.wav: cannot be written"),
}
"""Calls that must fail, their exit codes, and how their line begins."""


def _make_files(mashup: Mashup) -> None:
    shutil.copy(MIX, mashup.folder / "song.flac")
    (mashup.folder / "link.flac").symlink_to("song.flac")
    (mashup.folder / "text.mp3").write_text("This is not music.\n" * 100)
    mashup.song("mono.wav", excerpt(3.0)[:, 0], 48_000)
    with (mashup.folder / "mono.wav").open("r+b") as file:
        write_tags(file, "wav", TAGS)
    mashup.song("silence.wav", np.zeros((44_100, 2)))
    mashup.song("sample.wav", np.array([0.5]))


@pytest.fixture(scope="module")
def runs(mashup: Mashup) -> Runs:
    """All calls, under way."""
    _make_files(mashup)
    calls: dict[str, tuple[str, ...]] = {
        "mp3": ("song.flac", "-o", "mp3/song.mp3", "--json"),
        "loud": ("song.flac", "-o", "loud.flac", "--loudness", "-9", "--true-peak", "-2", "--json"),
        "compressed": ("song.flac", "-o", "pressed.wav", "--compress", "3", "--json"),
        "words": ("song.flac", "-o", "words.wav"),
        "quiet": ("song.flac", "-o", "quiet.wav", "-q"),
        "mono": ("mono.wav", "-o", "mono.flac", "--bit-depth", "24", "--json"),
        "silence": ("silence.wav", "-o", "silent.wav", "--json"),
        "sample": ("sample.wav", "-o", "one.wav", "--json"),
    }
    calls |= {name: arguments for name, (arguments, _, _) in FAILURES.items()}
    return {name: mashup.start("master", *arguments) for name, arguments in calls.items()}


def told(runs: Runs, name: str) -> dict[str, Any]:
    done = runs[name].result()
    assert (done.returncode, done.stderr) == (0, "")
    (document,) = documents(done.stdout)
    return document


@pytest.mark.parametrize(
    ("name", "wanted_lufs", "tolerance", "ceiling_dbtp"),
    [
        ("mp3", DEFAULT_LOUDNESS_LUFS, 0.5, -1),
        ("loud", -9, 0.1, -2),
        ("compressed", DEFAULT_LOUDNESS_LUFS, 0.1, -1),
    ],
)
def test_the_file_has_the_requested_loudness(
    mashup: Mashup, runs: Runs, name: str, wanted_lufs: float, tolerance: float, ceiling_dbtp: float
) -> None:
    document = told(runs, name)
    played = decode(mashup.folder / document["output"])
    found = measure(played)
    assert found.integrated_lufs == pytest.approx(wanted_lufs, abs=tolerance)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= ceiling_dbtp
    assert document["loudness_lufs"] == pytest.approx(found.integrated_lufs, abs=0.01)
    assert document["true_peak_dbtp"] == pytest.approx(found.true_peak_dbtp, abs=0.01)
    assert played.length_samples == decode(MIX).length_samples
    assert document["input"] == "song.flac"


def test_the_result_is_printed_in_one_line(mashup: Mashup, runs: Runs) -> None:
    words, quiet = runs["words"].result(), runs["quiet"].result()
    assert (words.returncode, words.stderr) == (0, "")
    assert words.stdout.startswith(f"words.wav: {DEFAULT_LOUDNESS_LUFS} LUFS, ")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    same = (mashup.folder / "words.wav").read_bytes() == (mashup.folder / "quiet.wav").read_bytes()
    assert same, "the same song and seed made different files"


def test_mono_and_the_rate_stay(mashup: Mashup, runs: Runs) -> None:
    told(runs, "mono")
    played = decode(mashup.folder / "mono.flac")
    assert (played.channels, played.sample_rate, played.length_samples) == (1, 48_000, 132_300)


def test_tags_stay(mashup: Mashup, runs: Runs) -> None:
    told(runs, "mono")
    assert read_tags(mashup.folder / "mono.flac").tags == TAGS


@pytest.mark.parametrize(("name", "file"), [("silence", "silent.wav"), ("sample", "one.wav")])
def test_a_song_without_loudness_keeps_its_level(
    mashup: Mashup, runs: Runs, name: str, file: str
) -> None:
    document = told(runs, name)
    assert document["loudness_lufs"] is None
    assert "its level stays" in document["notes"][0]
    kept = mashup.read(f"{name}.wav")
    assert np.abs(mashup.read(file) - kept).max() <= 2.0**-14
    assert mashup.read(file).shape == kept.shape


@pytest.mark.parametrize("name", FAILURES)
def test_each_refusal_is_one_line(mashup: Mashup, runs: Runs, name: str) -> None:
    _, exit_code, said = FAILURES[name]
    done = runs[name].result()
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr.startswith(f"mashup: {said}")
    assert done.stderr.count("\n") == 1
    assert mashup.files("out") == set()
    assert (mashup.folder / "song.flac").read_bytes() == MIX.read_bytes()
