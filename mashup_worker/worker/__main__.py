"""Entry point of a worker process, which the supervisor starts."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import EXIT_FAILED, EXIT_USAGE, DeviceLost, InvalidInput, MashupError
from mashup_worker.system.allocator import keep_freed_memory
from mashup_worker.system.child_guard import stop_with_parent

if TYPE_CHECKING:
    from mashup_worker.worker.handler import Handler


def main() -> int:
    """Run one worker process; return its exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # see `cli.main`
    keep_freed_memory()
    parser = argparse.ArgumentParser(prog="python -m mashup_worker.worker")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    stop_with_parent()
    try:
        return _run(options.queue, options.device, options.precision)
    except MashupError as error:
        sys.stderr.write(f"mashup worker: {error.message}\n")
        if isinstance(error, DeviceLost):
            return EXIT_FAILED  # the supervisor starts another process, which may use the device
        return EXIT_USAGE if isinstance(error, InvalidInput) else error.exit_code


def _run(queue: str, device: str, precision: str) -> int:
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.reports import report_writer
    from mashup_worker.settings import load_service_settings, load_settings
    from mashup_worker.system.undumpable import make_undumpable
    from mashup_worker.tracing import export_spans
    from mashup_worker.worker.context import open_context
    from mashup_worker.worker.handlers import all_handlers
    from mashup_worker.worker.model_cache import ModelCache
    from mashup_worker.worker.process import WorkerProcess
    from mashup_worker.worker.scratch import remove_stale_folders
    from mashup_worker.worker.supervisor import READY

    make_undumpable()
    settings = load_service_settings()
    log_to_stderr(settings.monitoring.log_format)
    export_spans("mashup-worker")
    remove_stale_folders(settings.worker.scratch)
    available = all_handlers(settings.inputs.max_duration_s)
    handlers: dict[str, Handler[Any]] = {
        job_type: available[job_type] for job_type in settings.queue.queues[queue]
    }
    models = ModelCache(
        load_settings(),
        default=settings.worker.model,
        rule=settings.worker.license_rule,
        device=device,
        precision=precision,
        compiled=settings.worker.compile_networks,
    )
    send_report = report_writer(sys.stdout.fileno())
    context = open_context(settings, models, handlers, send_report=send_report)
    process = WorkerProcess(context, queue)
    process.watch_health()
    if any(handler.uses_models for handler in handlers.values()):
        models.warm_up()
    sys.stdout.write(f"{READY} {process.worker_id}\n")
    sys.stdout.flush()
    return 0 if process.run() else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
