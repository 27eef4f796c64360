"""`mashup worker` with quick lanes in place of the real ones.

Arguments: the folder of faults, seconds a job, and how many lanes. Where metrics are served,
`MASHUP_METRICS_ADDRESS` says.
"""

from __future__ import annotations

import sys

from mashup_worker.logs import log_to_stderr
from mashup_worker.monitoring.server import serving
from mashup_worker.monitoring.worker_metrics import WorkerMetrics
from mashup_worker.settings import load_service_settings
from mashup_worker.system.child_guard import stop_with_parent
from mashup_worker.worker.supervisor import Supervisor


def main() -> int:
    """Run until told to stop."""
    faults, duration_s, lanes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    settings = load_service_settings()
    log_to_stderr(settings.monitoring.log_format)
    stop_with_parent()
    command = [sys.executable, "-m", "tests.chaos.quick_worker", faults, duration_s]
    counted = WorkerMetrics(lanes)
    with serving(settings.monitoring.metrics_address, counted):
        Supervisor([command] * lanes, counted, lambda: print("ready", flush=True)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
