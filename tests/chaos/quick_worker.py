"""A lane with a quick pipeline in place of the real ones, which can be told where to die.

A file `<faults>/<point>` makes the next attempt that comes to that point kill its process, once.
`stop` stops it as SIGSTOP does, `hold` holds the interpreter in native code, and `cut` has the
answer to its publishing COMMIT swallowed.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import FetchFailed, InvalidInput
from mashup_worker.logs import log_to_stderr
from mashup_worker.monitoring.reports import teller
from mashup_worker.queue.contracts import ModelOutput, SeparateInput, SeparateOutput, StemOutput
from mashup_worker.settings import load_service_settings
from mashup_worker.system.child_guard import stop_with_parent
from mashup_worker.worker.lane import Lane
from mashup_worker.worker.open_tools import open_tools
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.worker.work import StoredFile, Work

KINDS = ("vocals", "drums")
STEP_S = 0.1


@dataclass(frozen=True)
class QuickSeparate:
    """Takes a tenth of a second, and makes two small files."""

    duration_s: float
    faults: Path
    stages: Mapping[str, float]

    def gather(self, work: Work) -> Sources:
        assert isinstance(work.request, SeparateInput)
        if work.request.audio == "inputs/broken":
            raise InvalidInput("input_data.audio: it is broken")
        if work.request.audio == "inputs/flaky" and random.random() < 0.5:
            raise FetchFailed("it did not answer")
        if work.request.audio == "inputs/killer":
            os.kill(os.getpid(), signal.SIGKILL)
        return Sources({})

    def settings(self, work: Work) -> Mapping[str, Any]:
        return {"folder": work.folder.name}

    def make(self, work: Work, sources: Sources) -> Product:
        assert not sources.paths
        steps = max(10, round(self.duration_s / STEP_S))
        for step in range(steps):
            if taken(self.faults, "stop"):
                os.kill(os.getpid(), signal.SIGSTOP)
            if taken(self.faults, "hold"):
                ctypes.PyDLL(None).sleep(600)  # unlike CDLL, it keeps the interpreter
            time.sleep(self.duration_s / steps)
            work.on_progress("work", (step + 1) / steps)
        files = {f"{kind}.flac": work.folder / f"{kind}.flac" for kind in KINDS}
        for path in files.values():
            path.write_bytes(os.urandom(100))
        return Product(files, output_of)


def output_of(stored: Mapping[str, StoredFile]) -> SeparateOutput:
    stems = tuple(
        StemOutput(
            kind=kind,
            key=stored[f"{kind}.flac"].key,
            url=stored[f"{kind}.flac"].url,
            url_expires_at=stored[f"{kind}.flac"].url_expires_at,
            format="flac",
            bytes=stored[f"{kind}.flac"].bytes,
            sha256=stored[f"{kind}.flac"].sha256,
            duration_s=1.0,
            loudness_lufs=-20.0,
            peaks_key=stored[f"{kind}.flac"].key,
            peaks_url=stored[f"{kind}.flac"].url,
        )
        for kind in KINDS
    )
    model = ModelOutput(name="quick", device="cpu", precision="fp32")
    return SeparateOutput(stems=stems, analysis=None, model=model, timings_s={"device": 0.1})


def taken(faults: Path, point: str) -> bool:
    """Whether a fault was laid out for this point; the first to come takes it away."""
    try:
        (faults / point).unlink()
    except FileNotFoundError:
        return False
    return True


def main() -> int:
    """Run the lane; arguments are the folder of faults, and seconds a job."""
    faults, duration_s = Path(sys.argv[1]), float(sys.argv[2])
    settings = load_service_settings()
    log_to_stderr(settings.monitoring.log_format)
    stop_with_parent()

    def at(point: str) -> None:
        if taken(faults, point):
            os.kill(os.getpid(), signal.SIGKILL)
        if point == "publishing" and taken(faults, "cut"):
            (faults / "cutting").touch()  # the proxy before Postgres looks for it

    handler = QuickSeparate(duration_s, faults, {"work": 1.0})
    tell = teller(sys.stdout.fileno())
    tools = open_tools(settings, None, {"separate": handler}, at, tell)  # type: ignore[arg-type]
    lane = Lane(tools, "gpu")
    sys.stdout.write(f"ready {lane.worker_id}\n")
    sys.stdout.flush()
    return 0 if lane.run() else 1


if __name__ == "__main__":
    sys.exit(main())
