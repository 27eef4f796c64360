"""`mashup worker` with fast worker processes.

Arguments: folder of faults, seconds per job, number of processes. `MASHUP_METRICS_ADDRESS` sets the
address of the metrics.
"""

from __future__ import annotations

import sys

from mashup_worker.logs import log_to_stderr
from mashup_worker.monitoring.server import serve_metrics
from mashup_worker.monitoring.worker_metrics import WorkerMetrics
from mashup_worker.settings import load_service_settings
from mashup_worker.system.child_guard import stop_with_parent
from mashup_worker.worker.supervisor import Supervisor


def main() -> int:
    """Run until a signal."""
    faults, duration_s, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    settings = load_service_settings().monitoring
    log_to_stderr(settings.log_format)
    stop_with_parent()
    command = [sys.executable, "-m", "tests.chaos.fast_worker", faults, duration_s]
    metrics = WorkerMetrics(processes)
    with serve_metrics(settings.metrics_address, metrics):
        Supervisor([command] * processes, metrics, lambda: print("ready", flush=True)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
