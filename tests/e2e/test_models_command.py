"""`mashup models` and `mashup doctor` as installed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mashup_worker.models.catalogue import catalogue
from tests.msst import CONFIGS, save_pair

if TYPE_CHECKING:
    from tests.e2e.command import Mashup

FLOAT = ("--format", "wav", "--bit-depth", "32")
"""Form of stems that are as loud as random networks make them."""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_list_names_every_model_with_quality_source_and_license(
    mashup: Mashup, cache: Path
) -> None:
    done = mashup.run("models", "list", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 0
    assert done.stderr == ""
    header, *lines = done.stdout.splitlines()
    assert header.split("\t")[0] == "model"
    rows = {line.split("\t")[0]: line for line in lines}
    assert set(rows) == {*catalogue(), "lite (preview)"} - {"lite"}
    assert "drums,bass,other,vocals\t42 M\t84 MB\t8.80 dB" in rows["htdemucs"]
    assert "arXiv:2211.08553" in rows["htdemucs"]
    assert "scientific purposes" in rows["htdemucs"]


def test_list_as_json(mashup: Mashup, cache: Path) -> None:
    done = mashup.run("models", "list", "--json", MASHUP_MODEL_CACHE=str(cache))
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert list(entries) == list(catalogue())
    assert entries["htdemucs_6s"]["stems"][4:] == ["guitar", "piano"]
    assert entries["lite"]["preview"] is True
    assert [name for name, entry in entries.items() if entry["cached"]] == ["lite"]


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
def test_unknown_names_are_wrong_usage(mashup: Mashup, cache: Path, command: str) -> None:
    done = mashup.run("models", command, "htdemux", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (f"mashup: htdemux: no such model; use one of {', '.join(catalogue())}\n")


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
def test_weights_that_are_not_to_be_had_end_with_3(
    mashup: Mashup, cache: Path, command: str
) -> None:
    done = mashup.run("models", command, "htdemucs", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("mashup: htdemucs: not in ")
    assert done.stderr.count("\n") == 1


def test_without_network_pull_fails_soon(mashup: Mashup, cache: Path) -> None:
    # A proxy that nobody serves cuts the network off, whatever this machine has.
    proxy = {"https_proxy": "http://127.0.0.1:9", "MASHUP_OFFLINE": "0"}
    started_s = time.monotonic()
    done = mashup.run("models", "pull", "htdemucs", MASHUP_MODEL_CACHE=str(cache), **proxy)
    assert time.monotonic() - started_s < 60
    assert done.returncode == 3
    assert "Hugging Face hub: huggingface.co: " in done.stderr
    assert "legacy address: dl.fbaipublicfiles.com: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mirror_with_wrong_weights_is_refused_and_nothing_stays(
    mashup: Mashup, cache: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (file,) = catalogue()["htdemucs_6s"].sources[0].files
    with (mirror / file.name).open("wb") as sparse:
        sparse.truncate(file.size_bytes)
    done = mashup.run(
        "models",
        "pull",
        "htdemucs_6s",
        MASHUP_MODEL_CACHE=str(cache),
        MASHUP_MODEL_MIRROR=str(mirror),
    )
    assert done.returncode == 3
    assert f"{mirror / file.name}: SHA-256 is " in done.stderr
    assert f"expected {file.sha256[:12]}" in done.stderr
    assert [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_the_rest_is_done_when_one_fails(mashup: Mashup, cache: Path) -> None:
    done = mashup.run("models", "path", "mdx", "lite", "--json", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["name"] == "mdx"
    assert first["error"]["code"] == "model_unavailable"
    assert Path(second["path"]).is_dir()


def test_lite_comes_with_the_package(mashup: Mashup, cache: Path) -> None:
    pulled = mashup.run("models", "pull", "lite", MASHUP_MODEL_CACHE=str(cache))
    assert pulled.returncode == 0
    assert "part of a package" in pulled.stdout
    verified = mashup.run("models", "verify", "lite", "--json", MASHUP_MODEL_CACHE=str(cache))
    assert verified.returncode == 0
    digests = json.loads(verified.stdout)["sha256"]
    assert all((Path(json.loads(verified.stdout)["path"]) / name).is_file() for name in digests)
    assert len(digests) == 2
    assert not cache.exists()


def test_verify_finds_tampered_weights(mashup: Mashup, cache: Path) -> None:
    name = "955717e8.safetensors"
    (cache / "htdemucs").mkdir(parents=True)
    (cache / "htdemucs" / name).write_bytes(b"not the weights")
    digest = "a" * 64
    (cache / "htdemucs" / "SHA256SUMS").write_text(f"{digest}  {name}\n")
    done = mashup.run("models", "verify", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 3
    assert name in done.stderr
    assert "SHA-256 is" in done.stderr


def test_verify_of_an_empty_cache(mashup: Mashup, cache: Path) -> None:
    done = mashup.run("models", "verify", MASHUP_MODEL_CACHE=str(cache))
    assert (done.returncode, done.stdout) == (0, "")


def test_doctor_as_json(mashup: Mashup, cache: Path) -> None:
    done = mashup.run("doctor", "--json", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 0
    assert done.stderr == ""
    checks = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert checks["model cache"]["details"]["folder"] == str(cache)
    assert {"python", "torch", "cuda", "memory", "ffmpeg", "rubberband"} <= set(checks)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_an_added_model_works_like_one_of_the_catalogue(
    mashup: Mashup, cache: Path, tmp_path: Path, architecture: str
) -> None:
    checkpoint, config = save_pair(tmp_path, "tiny", architecture)
    environment = {"MASHUP_MODEL_CACHE": str(cache)}
    options: list[str | Path] = [
        "--config",
        config,
        "--name",
        "own",
        "--license",
        "mit",
        "--source",
        "https://a.test",
    ]
    added = mashup.run("models", "add", checkpoint, *options, **environment)
    assert (added.returncode, added.stderr) == (0, "")
    name, stems, folder = added.stdout.strip().split("\t")
    assert (name, folder) == ("own", str(cache / "own"))

    listed = mashup.run("models", "list", "--json", **environment)
    entry = {one["name"]: one for one in json.loads(listed.stdout)}["own"]
    assert entry["cached"] is True
    assert ",".join(entry["stems"]) == stems
    assert (entry["license"]["id"], entry["license"]["source"]) == ("MIT", "https://a.test")
    verified = mashup.run("models", "verify", "own", **environment)
    assert (verified.returncode, verified.stdout.strip()) == (0, folder)
    checked = json.loads(mashup.run("doctor", "--json", **environment).stdout)
    (found,) = (one for one in checked if one["check"] == "model cache")
    assert found["details"]["cached"] == ["own"]

    song = mashup.song("song.wav")
    separate: list[str | Path] = ["separate", song, "--model", "own", "-o", "s", "--quiet"]
    done = mashup.run(*separate, *FLOAT, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    made = {Path(name).stem for name in mashup.files("s") if name.endswith(".wav")}
    assert made == set(stems.split(","))

    removed = mashup.run("models", "remove", "own", **environment)
    assert (removed.returncode, removed.stdout) == (0, f"{folder}\tremoved\n")
    again = mashup.run(*separate, *FLOAT, **environment)
    assert again.returncode == 2
    assert "own: no such model" in again.stderr


def test_a_pair_in_a_folder_separates_without_being_added(mashup: Mashup, tmp_path: Path) -> None:
    save_pair(tmp_path, "tiny", "scnet")
    song = mashup.song("song.wav")
    options: list[str | Path] = [
        "--model-repo",
        tmp_path,
        "--model",
        "tiny",
        "--device",
        "cpu",
        "-o",
        "s",
        "--quiet",
    ]
    done = mashup.run("separate", song, *options, "--stems", "vocals,no_vocals", *FLOAT)
    assert (done.returncode, done.stderr) == (0, "")
    mix, vocals, rest = (
        mashup.read(f) for f in ("song.wav", "s/song/vocals.wav", "s/song/no_vocals.wav")
    )
    assert abs(mix - vocals - rest).max() < 1e-3


def test_a_checkpoint_that_is_refused_leaves_nothing(
    mashup: Mashup, cache: Path, tmp_path: Path
) -> None:
    checkpoint, config = save_pair(tmp_path, "tiny", "scnet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    arguments: list[str | Path] = ["models", "add", checkpoint, "--config", config]
    done = mashup.run(*arguments, MASHUP_MODEL_CACHE=str(cache))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"mashup: {checkpoint}: not a checkpoint of torch, or damaged or truncated\n"
    )
    done = mashup.run(*arguments, "--json", MASHUP_MODEL_CACHE=str(cache))
    assert json.loads(done.stdout)["error"]["code"] == "model_unavailable"
    assert [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_a_name_of_the_catalogue_has_its_own_configuration(
    mashup: Mashup, cache: Path, tmp_path: Path
) -> None:
    checkpoint, config = save_pair(tmp_path, "tiny", "scnet")
    arguments: list[str | Path] = [
        "models",
        "add",
        checkpoint,
        "--config",
        config,
        "--name",
        "scnet",
    ]
    done = mashup.run(*arguments, MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 2
    assert "use another --name for other weights" in done.stderr


def test_a_file_that_only_a_person_can_fetch(mashup: Mashup, cache: Path) -> None:
    done = mashup.run(
        "models", "pull", "scnet_large", MASHUP_MODEL_CACHE=str(cache), MASHUP_OFFLINE="0"
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "download https://drive.google.com/file/d/1s7Q" in done.stderr
    assert "run `mashup models add FILE --name scnet_large`" in done.stderr


def test_the_model_of_a_package_cannot_be_removed(mashup: Mashup, cache: Path) -> None:
    done = mashup.run("models", "remove", "lite", "mdx", MASHUP_MODEL_CACHE=str(cache))
    assert done.returncode == 3
    assert "lite: part of a package" in done.stderr
    assert f"mdx: not in {cache}" in done.stderr
