"""Wheels and editable installs on a machine whose npm fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest

from tests.dockerfile import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build needs, without the studio's libraries."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    unneeded = shutil.ignore_patterns("libraries", "__pycache__")
    shutil.copytree(ROOT / "mashup_worker", folder / "mashup_worker", ignore=unneeded)
    return folder


def pip(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip where `npm` always fails."""
    (place / "bin").mkdir()
    for name in ("node", "npm"):
        (place / "bin" / name).write_text("#!/bin/sh\necho no registry >&2\nexit 1\n")
        (place / "bin" / name).chmod(0o755)
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_wheel_without_the_libraries_is_not_built(checkout: Path, tmp_path: Path) -> None:
    done = pip(tmp_path, "wheel", "--no-deps", "-w", str(tmp_path / "wheels"), str(checkout))
    assert done.returncode != 0
    assert "npm: no registry" in done.stdout + done.stderr
    assert not (tmp_path / "wheels").exists() or not list((tmp_path / "wheels").iterdir())


def test_an_editable_install_works_without_them(checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    done = pip(tmp_path, "-v", "--python", str(python), "install", "--no-deps", "-e", str(checkout))
    assert done.returncode == 0, done.stderr
    assert "python -m mashup_worker.api.studio.libraries" in done.stdout + done.stderr
    place = "import mashup_worker.api.studio.libraries as found; print(found.are_complete())"
    asked = subprocess.run([python, "-I", "-c", place], capture_output=True, text=True, check=True)
    assert asked.stdout == "False\n"
