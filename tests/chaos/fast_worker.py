"""Worker process with a fast handler, in which faults can be injected.

A file `<faults>/<step>` makes the next attempt that reaches the step kill its process, once. `stop`
stops the process like SIGSTOP, `hold` blocks the interpreter in native code, and `cut` drops the
answer to the publishing COMMIT. `lost` and `illegal` raise the errors of this package and of torch
for a lost device.
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

from mashup_worker.errors import DeviceLost, FetchFailed, InvalidInput
from mashup_worker.logs import log_to_stderr
from mashup_worker.monitoring.reports import report_writer
from mashup_worker.queue.job_outputs import ModelOutput, SeparateOutput, StemOutput
from mashup_worker.settings import load_service_settings
from mashup_worker.system.child_guard import stop_with_parent
from mashup_worker.tracing import export_spans
from mashup_worker.worker.context import open_context
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.queue.job_inputs import SeparateInput
    from mashup_worker.worker.handler import JobContext, StoredFile

KINDS = ("vocals", "drums")
STEP_S = 0.1


@dataclass(frozen=True)
class FastSeparate:
    """Handler that sleeps and writes two small files."""

    duration_s: float
    faults: Path
    stages: Mapping[str, float]
    uses_models: bool = False

    def fetch(self, job: JobContext[SeparateInput]) -> Sources:
        audio = job.request.audio
        if audio == "inputs/broken":
            raise InvalidInput("input_data.audio: broken")
        if audio == "inputs/flaky" and random.random() < 0.5:
            raise FetchFailed("no answer")
        if audio == "inputs/killer":
            os.kill(os.getpid(), signal.SIGKILL)
        return Sources({})

    def settings(self, job: JobContext[SeparateInput]) -> Mapping[str, Any]:
        return {"folder": job.folder.name}

    def run(self, job: JobContext[SeparateInput], sources: Sources) -> HandlerResult:
        assert not sources.paths
        steps = max(10, round(self.duration_s / STEP_S))
        for step in range(steps):
            if take(self.faults, "stop"):
                os.kill(os.getpid(), signal.SIGSTOP)
            if take(self.faults, "hold"):
                ctypes.PyDLL(None).sleep(600)  # PyDLL, unlike CDLL, keeps the interpreter lock
            if take(self.faults, "lost"):
                raise DeviceLost
            if take(self.faults, "illegal"):
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            time.sleep(self.duration_s / steps)
            job.on_progress("work", (step + 1) / steps)
        files = {f"{kind}.flac": job.folder / f"{kind}.flac" for kind in KINDS}
        for path in files.values():
            path.write_bytes(os.urandom(100))
        return HandlerResult(files, output_of)


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
    model = ModelOutput(name="fast", device="cpu", precision="fp32")
    return SeparateOutput(stems=stems, analysis=None, model=model, timings_s={"device": 0.1})


@dataclass(frozen=True)
class FastModels:
    """In place of a model cache, which would import torch."""

    device: str = "cpu"
    loaded: tuple[str, ...] = ("fast",)


def take(faults: Path, step: str) -> bool:
    """Take the fault of a step; return whether one was injected. One process gets it."""
    try:
        (faults / step).unlink()
    except FileNotFoundError:
        return False
    return True


def main() -> int:
    """Run the process; arguments are the folder of faults and the seconds per job."""
    faults, duration_s = Path(sys.argv[1]), float(sys.argv[2])
    settings = load_service_settings()
    log_to_stderr(settings.monitoring.log_format)
    stop_with_parent()
    export_spans("mashup-worker")

    def on_step(step: str) -> None:
        if take(faults, step):
            os.kill(os.getpid(), signal.SIGKILL)
        if step == "publishing" and take(faults, "cut"):
            (faults / "cutting").touch()  # for the proxy in front of Postgres

    context = open_context(
        settings,
        FastModels(),  # type: ignore[arg-type]  # the handler uses no models
        {"separate": FastSeparate(duration_s, faults, {"work": 1.0})},
        on_step=on_step,
        send_report=report_writer(sys.stdout.fileno()),
    )
    process = WorkerProcess(context, "gpu")
    process.watch_health()
    sys.stdout.write(f"ready {process.worker_id}\n")
    sys.stdout.flush()
    return 0 if process.run() else 1


if __name__ == "__main__":
    sys.exit(main())
