"""`mashup reprocess` as installed: many songs, each once, whatever happens in between."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.e2e.command import STEMS, documents, excerpt
from tests.e2e.service import Service, new_user, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

NOBODY = "00000000-0000-0000-0000-000000000000"
BROKEN = ("seeds/deep/cut.flac", "seeds/empty.wav", "seeds/text.mp3")


def make_seeds(folder: Path, songs: int, duration_s: float = 0.5) -> None:
    """Different songs, some in a folder below, and three that are none."""
    (folder / "seeds" / "deep").mkdir(parents=True)
    for number in range(songs):
        place = "seeds/deep" if number % 3 == 0 else "seeds"
        samples = excerpt(duration_s, 6.0 + 0.1 * number)
        soundfile.write(folder / place / f"song {number:02}.flac", samples, 44_100)
    whole = (folder / "seeds/deep/song 00.flac").read_bytes()
    (folder / BROKEN[0]).write_bytes(whole[: len(whole) // 2])
    (folder / BROKEN[1]).write_bytes(b"")
    (folder / BROKEN[2]).write_text("This is not music.\n" * 100)


def catalogue(folder: Path) -> list[dict[str, Any]]:
    return documents((folder / "catalog.jsonl").read_text(encoding="utf-8"))


def by_outcome(stdout: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in documents(stdout):
        if "input" in line:
            found.setdefault(line["outcome"], set()).add(line["input"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("songs", [12, 57])
def test_many_files_killed_half_way(mashup: Mashup, songs: int) -> None:
    mashup = replace(mashup, folder=mashup.folder / f"many {songs}")
    make_seeds(mashup.folder, songs)
    library = mashup.folder / "library"
    arguments = ("reprocess", "seeds", "--to", "library", "--model", "lite", "--json")
    with mashup.process(*arguments) as process:
        until_s = time.monotonic() + 600
        while len(list(library.rglob("song.json"))) < songs // 3:
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in library.rglob("song.json")}
    assert songs // 3 <= len(before) < songs
    done = mashup.run(*arguments)
    assert done.returncode == 1
    outcomes = by_outcome(done.stdout)
    assert len(outcomes["processed"]) == songs - len(before)
    assert len(outcomes["existing"]) == len(before)
    assert outcomes["failed"] == set(BROKEN)
    assert all(name in done.stderr.splitlines()[-1] for name in BROKEN)
    after = {path: path.stat().st_mtime_ns for path in library.rglob("song.json")}
    assert len(after) == songs
    assert {path: after[path] for path in before} == before
    lines = catalogue(library)
    assert len(lines) == len({line["sha256"] for line in lines}) == songs
    for line in lines:
        for stem in line["stems"]:
            assert (library / stem["key"]).stat().st_size == stem["bytes"]
            assert json.loads((library / stem["peaks_key"]).read_text())["version"] == 2
    assert not list(library.rglob("*.part"))
    again = mashup.run(*arguments)
    assert by_outcome(again.stdout).keys() == {"existing", "failed"}
    assert json.loads(again.stdout.splitlines()[-1])["existing"] == songs


@pytest.fixture(scope="module")
def shelf(mashup: Mashup) -> tuple[Mashup, CompletedProcess[str]]:
    """A few songs that were made, and what was said."""
    mashup.song("few/one.wav", excerpt(1.0, 7.0))
    mashup.song("few/two.wav", excerpt(1.0, 8.0))
    shutil.copy(mashup.folder / "few/one.wav", mashup.folder / "few/zzz copy.wav")
    return mashup, mashup.run("reprocess", "few", "--to", "shelf", "--model", "lite")


def test_lines_for_people(shelf: tuple[Mashup, CompletedProcess[str]]) -> None:
    mashup, done = shelf
    assert done.returncode == 0, done.stderr
    *lines, summary = done.stdout.splitlines()
    one, two, copy = sorted(lines)  # they are told as they are done
    assert one.startswith("few/one.wav: processed in ")
    assert two.startswith("few/two.wav: processed in ")
    assert lines[0].endswith(" left")
    assert copy == "few/zzz copy.wav: duplicate, few/one.wav"
    assert summary == "3 songs: 2 processed, 1 duplicate"
    first, second = sorted(catalogue(mashup.folder / "shelf"), key=itemgetter("title"))
    assert (first["title"], second["title"]) == ("one", "two")
    assert [source["name"] for source in first["sources"]] == ["few/one.wav", "few/zzz copy.wav"]
    assert {stem["kind"] for stem in first["stems"]} == set(STEMS)
    mix = sum((mashup.read(f"shelf/{stem['key']}") for stem in first["stems"]), start=np.zeros(()))
    assert np.abs(mix - mashup.read("few/one.wav")).max() < 2e-3
    assert first["analysis"]["duration_s"] == pytest.approx(1.0)


def test_odd_names_and_missing_files_stop_nothing(mashup: Mashup) -> None:
    folder = mashup.folder / "odd"
    mashup.song("odd/song.wav", excerpt(1.0, 10.0))
    (folder / "song.wav").rename(os.fsdecode(bytes(folder) + b"/caf\xe9.wav"))
    os.mkfifo(folder / "pipe.wav")
    long = f"{'x' * 300}.wav"
    done = mashup.run("reprocess", "odd", long, "--to", "kept", "--model", "lite", "--json")
    assert done.returncode == 1, done.stderr
    assert by_outcome(done.stdout) == {
        "processed": {r"odd/caf\xe9.wav"},
        "failed": {"odd/pipe.wav", long},
    }
    (line,) = catalogue(mashup.folder / "kept")
    assert line["title"] == r"caf\xe9"


def test_a_full_disk_ends_the_run(mashup: Mashup) -> None:
    mashup.song("full/one.wav", excerpt(1.0, 7.0))
    mashup.song("full/two.wav", excerpt(1.0, 8.0))
    arguments = ("reprocess", "full", "--to", "narrow", "--model", "lite", "--json")
    with mashup.process(*arguments) as process:
        # Less than a second of sound: like a full disk, for this process and its children alone.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 3, stderr
    assert stdout == ""
    assert len(stderr.splitlines()) == 1
    assert not list(mashup.folder.glob("narrow/**/song.json"))


def test_dry_run_writes_nothing(shelf: tuple[Mashup, CompletedProcess[str]]) -> None:
    mashup, _ = shelf
    mashup.song("few-more/three.wav", excerpt(1.0, 9.0))
    shutil.copy(mashup.folder / "few/one.wav", mashup.folder / "few-more/moved.wav")
    before = mashup.files("shelf")
    arguments = ("reprocess", "few-more", "nowhere.wav", "--to", "shelf", "--model", "lite")
    done = mashup.run(*arguments, "--dry-run", "--json")
    assert by_outcome(done.stdout) == {
        "existing": {"few-more/moved.wav"},
        "planned": {"few-more/three.wav"},
        "failed": {"nowhere.wav"},
    }
    assert done.returncode == 1
    summary = documents(done.stdout)[-1]
    assert summary["planned_s"] == 1.0
    assert summary["planned_bytes"] == (mashup.folder / "few-more/three.wav").stat().st_size
    assert mashup.files("shelf") == before
    assert len(catalogue(mashup.folder / "shelf")) == 2


def test_other_settings_are_made_beside(shelf: tuple[Mashup, CompletedProcess[str]]) -> None:
    mashup, _ = shelf
    done = mashup.run(
        *("reprocess", "few/one.wav", "--to", "shelf", "--model", "lite"),
        *("--stems", "vocals,drums", "--format", "mp3", "--limit", "1", "-q"),
    )
    assert (done.returncode, done.stdout) == (0, "")
    one, two = catalogue(mashup.folder / "shelf")
    assert one["settings"]["stems"] == ["vocals", "drums"]
    assert {stem["key"].rpartition(".")[2] for stem in one["stems"]} == {"mp3"}
    assert two["settings"]["stems"] == []
    assert len(list((mashup.folder / "shelf").rglob("song.json"))) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("few",), 2, "give either --to DEST or --enqueue"),
        (("few", "--to", "x", "--enqueue", "--user", "y"), 2, "give either --to DEST or --enq"),
        (("few", "--enqueue"), 2, "--enqueue and --user belong together"),
        (("few", "--to", "x", "--model", "none"), 2, "none"),
        (("few", "--to", "x", "--model", "lite", "--stems", "flute"), 2, "flute"),
        (("few", "--to", "few", "--model", "lite"), 2, "choose another --to"),
        (("s3://", "--to", "x", "--model", "lite"), 2, "not of the form s3://bucket/prefix"),
        (("few", "--to", "x"), 3, "htdemucs"),
        (("few", "--to", "few/one.wav/x", "--model", "lite"), 3, "few/one.wav"),
    ],
)
def test_refusals(
    shelf: tuple[Mashup, CompletedProcess[str]], arguments: tuple[str, ...], code: int, words: str
) -> None:
    mashup, _ = shelf
    done = mashup.run("reprocess", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach the commands, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_stopping_keeps_results(mashup: Mashup, number: signal.Signals, code: int) -> None:
    for song in range(6):
        mashup.song(f"stop/{song}.wav", excerpt(2.0, 6.0 + song))
    place = mashup.folder / f"stopped-{code}"
    with mashup.process("reprocess", "stop", "--to", place.name, "--model", "lite") as process:
        until_s = time.monotonic() + 600
        while not list(place.rglob("song.json")):
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=600)
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert len(catalogue(place)) == len(list(place.rglob("song.json")))


def test_from_one_prefix_to_another(service: Service, tmp_path: Path) -> None:
    client, bucket = service.s3(), service.facts["bucket"]
    make_seeds(tmp_path, 3)
    for path in sorted((tmp_path / "seeds").rglob("*.*")):
        client.upload_file(str(path), bucket, f"seeds/{path.name}")
    for name in ("cover.jpg", "._song.flac", ".git/song.flac", "folder/"):
        client.put_object(Bucket=bucket, Key=f"seeds/{name}", Body=b"")
    arguments = ("reprocess", f"s3://{bucket}/seeds/", "--to", f"s3://{bucket}/library/")
    done = service.run(*arguments, "--model", "lite", "--json")
    assert done.returncode == 1, done.stderr
    outcomes = by_outcome(done.stdout)
    assert len(outcomes["processed"]) == 3
    assert {name.rpartition("/")[2] for name in outcomes["failed"]} == {
        "cut.flac",
        "empty.wav",
        "text.mp3",
    }
    assert documents(done.stdout)[-1]["left_out"] == 2
    assert f"s3://{bucket}/seeds/cover.jpg" in done.stderr.splitlines()[0]
    kept = client.get_object(Bucket=bucket, Key="library/catalog.jsonl")
    lines = documents(kept["Body"].read().decode())
    assert [line["title"] for line in lines] == ["song 00", "song 01", "song 02"]
    assert kept["CacheControl"] == "no-cache"
    stem = client.head_object(Bucket=bucket, Key=f"library/{lines[0]['stems'][0]['key']}")
    assert "immutable" in stem["CacheControl"]
    again = service.run(*arguments, "--model", "lite", "--json")
    assert len(by_outcome(again.stdout)["existing"]) == 3


def test_through_the_queue(service: Service, tmp_path: Path) -> None:
    user = new_user(service)
    make_seeds(tmp_path, 2, duration_s=2.0)
    arguments = ("reprocess", str(tmp_path / "seeds"), "--enqueue", "--user", str(user))
    planned = service.run(*arguments, "--model", "lite", "--json", "--dry-run")
    assert len(by_outcome(planned.stdout)["planned"]) == 4  # the empty file is found out here
    assert service.sql("SELECT FROM ai_jobs WHERE user_id = %s", user) == []
    done = service.run(*arguments, "--model", "lite", "--json")
    assert done.returncode == 1, done.stderr
    outcomes = by_outcome(done.stdout)
    assert len(outcomes["enqueued"]) == 4
    assert len(outcomes["processed"]) == 2
    assert {name.rpartition("/")[2] for name in outcomes["failed"]} == {
        "cut.flac",
        "empty.wav",
        "text.mp3",
    }
    failures = [line for line in documents(done.stdout) if line.get("outcome") == "failed"]
    assert {line["error"]["code"] for line in failures} == {"invalid_input", "unsupported_audio"}
    made = service.sql(
        "SELECT title, stems_count FROM mashups WHERE user_id = %s AND has_stems ORDER BY 1", user
    )
    assert made == [{"title": "song 00", "stems_count": 4}, {"title": "song 01", "stems_count": 4}]
    (job, *_) = service.sql(
        "SELECT output_data FROM ai_jobs WHERE user_id = %s AND status = 'completed'", user
    )
    assert read(job["output_data"]["stems"][0]["url"])
    planned = service.run(*arguments, "--model", "lite", "--json", "--dry-run")
    again = service.run(*arguments, "--model", "lite", "--json")
    assert again.returncode == 1
    outcomes = by_outcome(again.stdout)
    assert len(outcomes["followed"]) == 2
    assert len(outcomes["enqueued"]) == 2  # what failed is tried again
    assert by_outcome(planned.stdout)["planned"] == outcomes["enqueued"]
    count = "SELECT count(*) AS rows FROM ai_jobs WHERE user_id = %s"
    assert service.sql(count, user) == [{"rows": 6}]
    mashups = "SELECT count(*) AS rows FROM mashups WHERE user_id = %s"
    assert service.sql(mashups, user) == [{"rows": 4}]
    nobody = service.run(*arguments[:-1], NOBODY, "--model", "lite")
    assert nobody.returncode == 1
    assert "there is no such profile" in nobody.stderr
    left = service.s3().list_objects_v2(Bucket=service.facts["bucket"], Prefix=f"uploads/{NOBODY}/")
    assert left["KeyCount"] == 0
