"""Announcement of a worker process in Redis, for the figures of the fleet."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import redis

from mashup_worker import __version__
from mashup_worker.monitoring.processes import ProcessReport, announce, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.monitoring.processes import ProcessState
    from mashup_worker.monitoring.reports import HealthReport
    from mashup_worker.worker.model_cache import ModelCache

logger = logging.getLogger(__name__)


class ProcessAnnouncer:
    """Announces a process with each of its health reports. Thread-safe."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        process_id: str,
        queue: str,
        models: ModelCache,
        state: Callable[[], ProcessState],
    ) -> None:
        self._redis, self._id, self._queue = client, process_id, queue
        self._models, self._state = models, state
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._withdrawn = False

    def send(self, health: HealthReport) -> None:
        """Announce the process; does nothing while Redis is unreachable."""
        report = ProcessReport(
            id=self._id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queue=self._queue,
            version=__version__,
            state=self._state(),
            device=self._models.device,
            device_name=health.device_name,
            models=self._models.loaded,
            memory_bytes=health.memory_bytes,
            device_memory_bytes=dict(health.device_bytes),
            unreachable=health.unreachable,
            uptime_s=time.monotonic() - self._started_s,
        )
        with self._lock:
            if self._withdrawn:
                return
            try:
                announce(self._redis, report)
            except redis.RedisError as error:
                logger.debug("announcement: %s", error)

    def withdraw(self) -> None:
        """Remove the announcement; later ones are not sent."""
        with self._lock:
            self._withdrawn = True
            try:
                withdraw(self._redis, self._id)
            except redis.RedisError as error:
                logger.debug("announcement: %s", error)
