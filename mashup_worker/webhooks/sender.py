"""Sender of the outbox: a thread of the mirror with a small pool.

Several mirrors share the outbox. Each leases messages, sends them and records the outcome. A mirror
that dies in between leaves its messages to others, which send them with the same id.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mashup_worker.db import webhooks
from mashup_worker.db.database import OUTAGES, reason_of
from mashup_worker.errors import InternalError, MashupError
from mashup_worker.storage.fetch import post
from mashup_worker.tracing import request_trace
from mashup_worker.webhooks.signing import signed_headers, signing_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mashup_worker.db.database import Database
    from mashup_worker.db.jobs import Job
    from mashup_worker.db.webhooks import Message
    from mashup_worker.settings import ServiceSettings

    BodyOf = Callable[[Job], bytes]
    """Returns the JSON that a message about a job carries."""

logger = logging.getLogger(__name__)

Outcome = Literal["delivered", "failed", "dead"]

_THREADS = 16
_PER_HOST = 2
_PER_OWNER = 8
_POLL_S = 1.0
_MIN_PAUSE_S = 0.05
_ERROR_PAUSE_S = 10.0
_LONGEST_DELAY_S = 3_600.0
_TRANSIENT = (408, 409, 425, 429)
"""Status codes from 400 to 499 after which another try may succeed."""


class SenderObserver(Protocol):
    """Receiver of a sender's events."""

    def webhook_tried(self, outcome: Outcome) -> None:
        """Count a try; `dead` was the last one of its message."""


@dataclass(frozen=True)
class Failure:
    """Reason why a try failed; `final` if another one can't succeed."""

    reason: str
    final: bool


class WebhookSender(threading.Thread):
    """Thread that sends due messages until it is stopped. It waits out outages of Postgres."""

    def __init__(
        self,
        database: Database,
        settings: ServiceSettings,
        body_of: BodyOf,
        observer: SenderObserver,
    ) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._database, self._settings = database, settings
        self._body_of, self._observer = body_of, observer
        self._tls = ssl.create_default_context()
        self._in_flight: set[UUID] = set()
        self._woken = threading.Event()
        self._stopped = threading.Event()

    def wake(self) -> None:
        """Look for due messages now."""
        self._woken.set()

    def stop(self) -> None:
        """Send no more messages, and wait for the answers to those that were sent."""
        self._stopped.set()
        self._woken.set()
        self.join()

    def run(self) -> None:
        """Send messages until stopped; without the secret of the API, only log that they wait."""
        secret = self._settings.api.api_secret
        if secret is None:
            self._run_without_secret()
            return
        key = secret.get_secret_value().encode()
        with ThreadPoolExecutor(_THREADS, "webhook") as pool:
            while not self._stopped.is_set():
                self._woken.clear()
                for message in self._claim():
                    self._in_flight.add(message.id)
                    pool.submit(self._handle, message, key)
                self._woken.wait(_POLL_S)
                self._stopped.wait(_MIN_PAUSE_S)  # combines many notifications into one look

    def _run_without_secret(self) -> None:
        while not self._stopped.wait(_POLL_S):
            try:
                with self._database.transaction() as connection:
                    waiting = webhooks.recent(connection, status="waiting", limit=1)
            except OUTAGES:
                continue
            if waiting:
                logger.warning(
                    "webhooks: MASHUP_API_SECRET is not set, so messages wait; set it as for the "
                    "API"
                )
                return

    def _claim(self) -> list[Message]:
        free = _THREADS - len(self._in_flight)
        if not free:
            return []
        # Another mirror may send the message only after this one's deadline has passed.
        lease_s = 5.0 + 2 * self._settings.webhooks.webhook_timeout_s
        try:
            with self._database.transaction() as connection:
                return webhooks.claim(
                    connection,
                    limit=free,
                    per_host=_PER_HOST,
                    per_owner=_PER_OWNER,
                    lease_s=lease_s,
                )
        except OUTAGES as error:
            logger.warning("webhooks: %s; they wait", reason_of(error))
        except Exception:  # no error may end the thread
            logger.exception("webhooks: the outbox can't be read")
        self._stopped.wait(_ERROR_PAUSE_S)
        return []

    def _handle(self, message: Message, key: bytes) -> None:
        """Send one message; without a recorded outcome it is sent again when its lease ends."""
        try:
            with self._database.transaction() as connection:
                job = webhooks.job_of(connection, message)
            if job is not None:
                self._record(message, self._try(message, job, key))
        except OUTAGES as error:
            logger.warning("webhook %s: %s; it is sent again", message.id, reason_of(error))
        except Exception:
            logger.exception("webhook %s: its outcome can't be recorded", message.id)
        finally:
            self._in_flight.discard(message.id)
            self._woken.set()

    def _try(self, message: Message, job: Job, key: bytes) -> Failure | None:
        """Send a message; return None if its receiver accepted it."""
        try:
            body = self._body_of(job)
            secret = signing_secret(key, message.user_id)
            headers = signed_headers(secret, str(message.id), body, time.time())
            with request_trace(job.traceparent):
                status = post(
                    message.url,
                    body,
                    {"Content-Type": "application/json", **headers},
                    timeout_s=self._settings.webhooks.webhook_timeout_s,
                    allow_private=self._settings.inputs.fetch_private,
                    tls=self._tls,
                )
        except MashupError as error:
            return Failure(error.message, final=not error.retryable)
        except Exception:
            logger.exception("webhook %s of job %s", message.id, message.job_id)
            return Failure(InternalError().message, final=False)
        return failure_of(message.host, status)

    def _record(self, message: Message, failure: Failure | None) -> None:
        settings = self._settings.webhooks
        with self._database.transaction() as connection:
            if failure is None:
                after = webhooks.delivered(connection, message)
            else:
                after = webhooks.failed(
                    connection,
                    message,
                    error=failure.reason,
                    delay_s=delay_s(message.tries, settings.webhook_retry_base_s),
                    retry_s=settings.webhook_retry_s,
                    final=failure.final,
                )
        if after is None:
            logger.warning("webhook %s: the lease ended before the answer", message.id)
            return
        outcome: Outcome = "failed" if after.status == "waiting" else after.status
        self._observer.webhook_tried(outcome)
        if failure is not None:
            logger.log(
                logging.WARNING if outcome == "dead" else logging.INFO,
                "webhook %s of job %s: try %d failed%s: %s",
                *(message.id, message.job_id, message.tries),
                ", the last one" if outcome == "dead" else "",
                failure.reason,
            )


def failure_of(host: str, status: int) -> Failure | None:
    """Return the failure that a status code of a receiver means; None for success."""
    if 200 <= status < 300:
        return None
    return Failure(
        f"{host}: answered {status}", final=400 <= status < 500 and status not in _TRANSIENT
    )


def delay_s(tries: int, base_s: float) -> float:
    """Return the pause after a number of failed tries.

    It doubles from `base_s` up to an hour. A random part of up to a half is subtracted, so messages
    that failed together are not repeated together.
    """
    longest_s = min(_LONGEST_DELAY_S, base_s * 2.0 ** min(tries - 1, 30))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets
