"""`mashup`, run the way a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from tests.e2e.preloaded import PreloadedMashup

MASHUP = Path(sys.executable).with_name("mashup")

MIX = min(Path(__file__).parents[2].glob("samples/*/mix.flac"))
"""A song with all four stems in it."""

STEMS = ("drums", "bass", "other", "vocals")


@dataclass(frozen=True)
class Mashup:
    """The command in a folder of its own, away from the network and from the user's cache."""

    folder: Path
    preloaded: PreloadedMashup

    def run(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command with additional variables; return its result."""
        return self.preloaded.run(*arguments, cwd=self.folder, env=self.environment | more)

    def start(self, *arguments: str | Path) -> Future[subprocess.CompletedProcess[str]]:
        """Run a command after those that were started before."""
        return self.preloaded.start(*arguments, cwd=self.folder, env=self.environment)

    def process(self, *arguments: str | Path, stderr: int = subprocess.PIPE) -> Process:
        """Start the installed program."""
        source = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        return Process(
            [MASHUP, *arguments],
            preexec_fn=stop_with_tests,
            cwd=self.folder,
            env=self.environment | source,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the command."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TERM": "xterm",
            "OMP_NUM_THREADS": "1",
            "MASHUP_MODEL_CACHE": str(self.folder / "cache"),
            "MASHUP_OFFLINE": "1",
        }

    def song(
        self, name: str, samples: NDArray[np.floating[Any]] | None = None, sample_rate: int = 44_100
    ) -> Path:
        """A file in the folder, by its relative path; two seconds of a real song by default."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, excerpt(2.0) if samples is None else samples, sample_rate)
        return Path(name)

    def read(self, name: str | Path) -> NDArray[np.float64]:
        """Samples of a file in the folder, shape `(samples, channels)`."""
        samples: NDArray[np.float64] = soundfile.read(self.folder / name, always_2d=True)[0]
        return samples

    def files(self, name: str) -> set[str]:
        """All files below a folder in the folder, hidden ones too, by their path below it."""
        top = self.folder / name
        return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}


def excerpt(duration_s: float, start_s: float = 8.0) -> NDArray[np.float64]:
    """Some of a real song at 44.1 kHz, its peak at most 0.5; shape `(samples, 2)`."""
    start, stop = round(start_s * 44_100), round((start_s + duration_s) * 44_100)
    samples: NDArray[np.float64] = soundfile.read(MIX, start=start, stop=stop)[0]
    return 0.5 * samples


def documents(stdout: str) -> list[dict[str, Any]]:
    """The lines of `stdout`, each of them JSON."""
    return [json.loads(line) for line in stdout.splitlines()]
