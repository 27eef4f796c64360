"""`--license` of the commands that use a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker.models.catalogue import catalogue
from tests.e2e.command import excerpt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Mashup

REASON = "htdemucs: its license is scientific-only (restricted), and allowed is only permissive"


@pytest.fixture(scope="module")
def song(mashup: Mashup) -> Path:
    return mashup.song("song.wav", excerpt(1.0))


def test_results_name_the_license(mashup: Mashup, song: Path) -> None:
    done = mashup.run("separate", song, "-o", "out", "--license", "permissive", "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert (document["model"], document["fallback_reason"]) == ("lite", REASON)
    terms = catalogue()["lite"].license.as_dict()
    assert document["model_license"] == terms
    record = json.loads((mashup.folder / "out/song/separation.json").read_text())
    assert [one["model_license"] for one in record["sets"]] == [terms]
    assert f"lite is a preview model, used instead of htdemucs: {REASON}\n" in done.stderr
    again = mashup.run("separate", song, "-o", "out", "--license", "mit", "--skip-existing")
    assert again.stdout.endswith("skipped, all stems exist\n")


@pytest.mark.usefixtures("song")
@pytest.mark.parametrize(
    "arguments",
    [
        ("separate", "song.wav", "--model", "htdemucs"),
        ("mix", "song.wav", "song.wav", "-o", "x.mp3", "--model", "htdemucs"),
        ("match", "song.wav", "other.wav", "--separate", "--model", "htdemucs"),
        ("reprocess", "song.wav", "--to", "library", "--model", "htdemucs"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_other_models_are_refused_with_one_line(mashup: Mashup, arguments: tuple[str, ...]) -> None:
    mashup.song("other.wav", excerpt(1.1))
    done = mashup.run(*arguments, "--license", "permissive")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mashup: {REASON}; use lite\n"


def test_a_license_that_no_model_has_is_wrong_usage(mashup: Mashup, song: Path) -> None:
    for command in (("separate", song), ("models", "list")):
        done = mashup.run(*command, "--license", "permisive")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "mashup: --license permisive: no model has this license; use permissive, restricted, "
            "unknown, or one of MIT, scientific-only\n"
        )


def test_models_are_listed_by_license(mashup: Mashup) -> None:
    def names(*terms: str) -> set[str]:
        options = [word for term in terms for word in ("--license", term)]
        done = mashup.run("models", "list", "--json", *options)
        return {entry["name"] for entry in json.loads(done.stdout)}

    permissive = {
        name for name, one in catalogue().items() if one.license.license_class == "permissive"
    }
    assert names("permissive") == permissive == names("MIT")
    # A recipe needs the licenses of all its models.
    assert names("restricted") == catalogue().keys() - permissive - {"kim_htdemucs"}
    assert names("restricted,mit") == names("restricted", "mit") == set(catalogue())
    assert names("unknown") == set()
    table = mashup.run("models", "list", "--markdown", "--license", "permissive").stdout
    assert "| lite | " in table
    assert "htdemucs" not in table
