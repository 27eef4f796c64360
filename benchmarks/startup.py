"""Start-up time of commands beyond the import of torch.

    python -m benchmarks.startup

Each command runs in a new process, in turn with `import torch`, which no command can avoid. The
table gives medians of wall-clock and processor time. `python -X importtime` then attributes the
imports of `mashup analyze` to packages by their own time, without the modules that they import.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import publish, table
from mashup_worker.bench.music import song

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUNDS = 5
DURATION_S = 10
BUDGET_S = 1.0
"""Time that `mashup analyze` of a 10-second file may take beyond the import of torch."""

TORCH = "import of torch"
ANALYZE = f"mashup analyze, {DURATION_S} s of sound"

_IMPORT_LINE = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_SHOWN_PACKAGES = 10


@dataclass(frozen=True)
class Run:
    """Times of one process.

    Attributes:
        wall_s: wall-clock time.
        processor_s: user and system time, of its child processes too.
    """

    wall_s: float
    processor_s: float


def commands(sound: Path) -> dict[str, list[str]]:
    """Return the measured commands by name."""
    python = sys.executable
    return {
        TORCH: [python, "-c", "import torch"],
        "mashup --help": [python, "-m", "mashup_worker", "--help"],
        "import of the separation": [python, "-c", "import mashup_worker.pipelines.song"],
        "import of a mashup": [python, "-c", "import mashup_worker.pipelines.mashup.make"],
        ANALYZE: [python, "-m", "mashup_worker", "analyze", str(sound)],
    }


def run(command: Sequence[str]) -> Run:
    """Run a command and return its times."""
    before, started_s = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall_s, after = time.perf_counter() - started_s, os.times()
    user_s = after.children_user - before.children_user
    return Run(wall_s, user_s + after.children_system - before.children_system)


def import_seconds(report: str) -> dict[str, float]:
    """Sum the own import times in a report of `-X importtime` by top-level package."""
    seconds: dict[str, float] = defaultdict(float)
    for microseconds, module in _IMPORT_LINE.findall(report):
        seconds[module.partition(".")[0]] += int(microseconds) / 1e6
    return seconds


def _times(runs: Mapping[str, Sequence[Run]]) -> str:
    rows = []
    torch_s = statistics.median(one.wall_s for one in runs[TORCH])
    for name, of_one in runs.items():
        wall_s = statistics.median(one.wall_s for one in of_one)
        processor_s = statistics.median(one.processor_s for one in of_one)
        beyond = "" if name == TORCH or wall_s < torch_s else f"{wall_s - torch_s:.2f}"
        rows.append([name, f"{wall_s:.2f}", f"{processor_s:.2f}", beyond])
    return table(["", "wall-clock s", "processor s", "s beyond torch"], rows)


def _verdict(runs: Mapping[str, Sequence[Run]]) -> str:
    beyond_s = statistics.median(
        analyze.processor_s - torch.processor_s
        for analyze, torch in zip(runs[ANALYZE], runs[TORCH], strict=True)
    )
    held = "within" if beyond_s <= BUDGET_S else "beyond"
    return (
        f"`mashup analyze` of {DURATION_S} s takes {beyond_s:.2f} s of processor time more "
        f"than the import of torch, which is {held} its budget of {BUDGET_S:g} s. Wall-clock time "
        "depends on the load of the machine, processor time hardly."
    )


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "song.wav"
        song(DURATION_S).save(sound)
        measured = commands(sound)
        runs: dict[str, list[Run]] = {name: [] for name in measured}
        for command in measured.values():
            run(command)  # fills the caches of files and byte code
        for _ in range(ROUNDS):
            for name, command in measured.items():
                runs[name].append(run(command))
        timed = [measured[ANALYZE][0], "-X", "importtime", *measured[ANALYZE][1:]]
        report = subprocess.run(timed, check=True, capture_output=True, text=True).stderr
    seconds = import_seconds(report)
    largest = sorted(seconds.items(), key=lambda item: -item[1])[:_SHOWN_PACKAGES]
    shares = [[name, f"{own_s:.2f}"] for name, own_s in largest]
    publish("startup", _times(runs), _verdict(runs), table(["package", "own import s"], shares))


if __name__ == "__main__":
    main()
