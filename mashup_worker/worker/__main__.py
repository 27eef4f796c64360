"""A lane as a process, started by the supervisor."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from mashup_worker.errors import EXIT_FAILED, MashupError
from mashup_worker.system.allocator import keep_freed_memory
from mashup_worker.system.child_guard import stop_with_parent

if TYPE_CHECKING:
    from mashup_worker.worker.work import Handler


def main() -> int:
    """Run one lane; the exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # see `cli.main`
    keep_freed_memory()
    parser = argparse.ArgumentParser(prog="python -m mashup_worker.worker")
    parser.add_argument("--class", dest="worker_class", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    stop_with_parent()
    try:
        return _run(options.worker_class, options.device, options.precision)
    except MashupError as error:
        sys.stderr.write(f"mashup worker: {error.message}\n")
        return error.exit_code


def _run(worker_class: str, device: str, precision: str) -> int:
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.reports import teller
    from mashup_worker.settings import load_service_settings, load_settings
    from mashup_worker.system.undumpable import make_undumpable
    from mashup_worker.worker.handlers import handlers
    from mashup_worker.worker.lane import Lane
    from mashup_worker.worker.models import ModelShelf
    from mashup_worker.worker.open_tools import open_tools
    from mashup_worker.worker.scratch import remove_leftovers
    from mashup_worker.worker.supervisor import READY

    make_undumpable()
    settings = load_service_settings()
    log_to_stderr(settings.monitoring.log_format)
    remove_leftovers(settings.worker.scratch)
    wanted = settings.queue.queues[worker_class]
    everything = handlers(settings.inputs.max_duration_s)
    chosen: dict[str, Handler] = {kind: everything[kind] for kind in wanted}
    models = ModelShelf(
        device,
        precision,
        settings.worker.model,
        load_settings(),
        compiled=settings.worker.compile_networks,
    )
    tell = teller(sys.stdout.fileno())
    lane = Lane(open_tools(settings, models, chosen, tell=tell), worker_class)
    if {"separate", "mashup"} & set(wanted):
        models.warm_up()
    sys.stdout.write(f"{READY} {lane.worker_id}\n")
    sys.stdout.flush()
    return 0 if lane.run() else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
