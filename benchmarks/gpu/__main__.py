"""Test and measure a GPU within some minutes; see `--help`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu import fake
from benchmarks.gpu.packages import NEEDED, OF_TESTS, PEER, missing
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.session import Session
from benchmarks.gpu.steps import gpu_tests, steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

EXIT_STEP_FAILED, EXIT_NO_DEVICE = 1, 3

_DESCRIPTION = """\
Test and measure a GPU within some minutes, the most useful first. Each step is a
process of its own with a time limit, and what it measured is kept when it ends.

DIR gets <device>.json (as of `mashup bench`), summary.txt, junit.xml and log.txt.
Copy the JSON file to benchmarks/results and run `python -m benchmarks.performance_page`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all steps; returns the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    if not given.pretend and not _has_device():
        print("benchmarks.gpu: no CUDA device; run `mashup doctor` for the reason", file=sys.stderr)
        return EXIT_NO_DEVICE
    if lacking := missing():
        print(f"missing here: {', '.join(lacking)}", file=sys.stderr)
    folder = given.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = " --pretend" if given.pretend else ""
    command = f"python -m benchmarks.gpu --minutes {given.minutes:g}{options}"
    session = Session(folder, command, given.minutes, fake=given.pretend)
    with tempfile.TemporaryDirectory() as name:
        scale = _FULL
        if given.pretend:
            scale = fake.scale(Path(name))
            fake.preload(Path(name))
        for step in steps(scale, session.junit):
            session.take(step)
    print("\n".join(session.summary()))
    failed = any(one.ending.status in ("failed", "timed out") for one in session.outcomes)
    return EXIT_STEP_FAILED if failed else 0


_FULL = Scale(
    device="cuda",
    song_s=240.0,
    mashup_s=180.0,
    rounds=3,
    songs=32,
    in_flight=8,
    processes=(1, 2, 4),
    songs_each=8,
    model=("--model", "auto"),
    tests=gpu_tests(),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=_DESCRIPTION,
        epilog=textwrap.fill(
            f"Imports {', '.join(NEEDED)}, and what these need. The tests import "
            f"{', '.join(OF_TESTS)} too; {PEER} is compared with where it is installed. No server "
            "and no network are used, and the package itself needs no installation.",
            width=88,
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="time for all steps (9)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("gpu-results"),
        metavar="DIR",
        help="folder of the results (gpu-results)",
    )
    parser.add_argument(
        "--pretend", action="store_true", help="run everything, tiny, on a fake device"
    )
    return parser


def _has_device() -> bool:
    import torch

    return torch.cuda.is_available()


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
