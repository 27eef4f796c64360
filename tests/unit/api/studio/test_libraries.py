"""Fetching of the studio's libraries, with a program in place of npm."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mashup_worker.api.studio import libraries
from mashup_worker.api.studio.libraries import LibrariesMissing, are_complete, fetch

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = "export const answer = 42;\n"


@dataclass(frozen=True)
class Place:
    """A page without libraries, and the only folder on the path."""

    page: Path
    bin: Path

    def provide_npm(self, *lines: str) -> None:
        for name, script in {"node": ("exit 1",), "npm": lines}.items():
            program = self.bin / name
            program.write_text("\n".join(("#!/bin/sh", *script)))
            program.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place(tmp_path / "page", tmp_path / "bin")
    found.page.mkdir()
    found.bin.mkdir()
    (found.page / "package.json").write_text('{"dependencies": {"answer": "1.0.0"}}')
    digest = hashlib.sha256(CONTENT.encode()).hexdigest()
    (found.page / "libraries.sha256").write_text(f"{digest}  answer/dist/answer.mjs\n")
    monkeypatch.setenv("PATH", str(found.bin))
    return found


def writing(content: str) -> tuple[str, ...]:
    return (
        "export PATH=/usr/bin:/bin",
        "grep -q answer package.json || exit 1",
        "mkdir -p node_modules/answer/dist node_modules/other",
        f"printf '%s' '{content}' > node_modules/answer/dist/answer.mjs",
        "touch node_modules/other/file.js",
    )


def test_files_of_the_list_are_copied_and_then_kept(place: Place) -> None:
    assert not are_complete(place.page)
    place.provide_npm(*writing(CONTENT))
    (place.page / "libraries").mkdir()
    (place.page / "libraries" / "of-another-version.mjs").touch()
    fetch(place.page)
    files = [path for path in (place.page / "libraries").rglob("*") if path.is_file()]
    assert files == [place.page / "libraries" / "answer" / "dist" / "answer.mjs"]
    assert are_complete(place.page)
    place.provide_npm("exit 1")
    fetch(place.page)
    files[0].write_text("changed")
    assert not are_complete(place.page)


@pytest.mark.parametrize("script", [writing("changed"), ("exit 0",), ("echo no >&2", "exit 1")])
def test_failures_and_changed_packages_leave_nothing(place: Place, script: tuple[str, ...]) -> None:
    place.provide_npm(*script)
    with pytest.raises(LibrariesMissing):
        fetch(place.page)
    assert {path.name for path in place.page.iterdir()} == {"package.json", "libraries.sha256"}


def test_a_machine_without_npm_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(LibrariesMissing, match="npm: not found"):
        fetch(place.page)


def test_new_digests_are_stored_on_request(place: Place) -> None:
    place.provide_npm(*writing("new version"))
    fetch(place.page, renew=True)
    assert are_complete(place.page)


def test_versions_are_exact_and_every_package_has_its_license() -> None:
    document = json.loads((libraries.PAGE / "package.json").read_text(encoding="utf-8"))
    versions: dict[str, str] = document["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    lines = (libraries.PAGE / "libraries.sha256").read_text(encoding="utf-8").splitlines()
    files = {line.split()[1] for line in lines}
    assert all(f"{package}/LICENSE" in files for package in versions)
    assert all(name.startswith(tuple(f"{package}/" for package in versions)) for name in files)


def test_the_import_map_names_files_of_the_list() -> None:
    page = (libraries.PAGE / "index.html").read_text(encoding="utf-8")
    listed = (libraries.PAGE / "libraries.sha256").read_text(encoding="utf-8")
    imports = re.findall(r'"/studio/assets/libraries/(.*?)"', page)
    assert imports
    assert all(f"  {name}\n" in listed for name in imports)
