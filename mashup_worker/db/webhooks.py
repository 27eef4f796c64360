"""Outbox of webhooks, which a trigger on `ai_jobs` fills."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import select
from mashup_worker.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection

MessageStatus = Literal["waiting", "delivered", "dead"]
MESSAGE_STATUSES: tuple[MessageStatus, ...] = get_args(MessageStatus)
"""To be sent, or sent again; accepted by the receiver; given up."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """Message about an event of a job.

    Attributes:
        id: id for the receiver too, the same in every try.
        user_id: owner of the job, with whose secret the message is signed; None for the service.
        url: address of the receiver, which may contain secrets.
        host: host and port of the address.
        tries: number of tries; part of the fence of the writes after a try.
        due_at: earliest next try of a waiting message.
        error: reason why the last try failed.
        ended_at: time of delivery, or of the last try.
    """

    id: UUID
    job_id: UUID
    user_id: UUID | None
    event: str
    url: str = field(repr=False)
    host: str
    status: MessageStatus
    tries: int
    due_at: datetime | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


_COLUMNS = tuple(one.name for one in fields(Message))


@dataclass(frozen=True, kw_only=True)
class OutboxSummary:
    """Numbers of waiting and dead messages; `oldest_s` is the age of the oldest waiting one."""

    waiting: int
    dead: int
    oldest_s: float


def claim(
    connection: Connection, *, limit: int, per_host: int, per_owner: int, lease_s: float
) -> list[Message]:
    """Lease up to `limit` due messages; after `lease_s` others may send them.

    A message is due after the earlier ones of its job. At most `per_host` messages to one host and
    `per_owner` of one owner are leased at the same time, over all callers.
    """
    limits = {"limit": limit, "per_host": per_host, "per_owner": per_owner}
    return _messages(connection, "claim", **limits, lease_s=lease_s)


def job_of(connection: Connection, message: Message) -> jobs.Job | None:
    """Return the job of a message as it was at the event; None if it was deleted since."""
    found = jobs.select_jobs(connection, "webhooks.job", id=message.id)
    return found[0] if found else None


def delivered(connection: Connection, message: Message) -> Message | None:
    """End a claimed message; return None if its lease was lost."""
    return _first(_messages(connection, "delivered", id=message.id, tries=message.tries))


def failed(
    connection: Connection,
    message: Message,
    *,
    error: str,
    delay_s: float,
    retry_s: float,
    final: bool,
) -> Message | None:
    """Record a failed try of a claimed message; return None if its lease was lost.

    Args:
        connection: connection in a transaction.
        message: as it was claimed.
        error: reason, without parts of the address other than the host.
        delay_s: pause before the next try.
        retry_s: time from the first try after which the message is dead.
        final: whether the message is dead now.
    """
    fence = {"id": message.id, "tries": message.tries}
    outcome = {"error": error, "delay_s": delay_s, "retry_s": retry_s, "final": final}
    return _first(_messages(connection, "failed", **fence, **outcome))


def retry(connection: Connection, message_id: UUID | None = None) -> list[Message]:
    """Let one dead message, or all of them, be sent again; return them.

    Raises:
        NotFound: no message has this id.
        InvalidInput: the message is not dead.
    """
    again = _messages(connection, "retry", id=message_id)
    if not again and message_id is not None:
        found = _first(_messages(connection, "find", id=message_id))
        if found is None:
            raise NotFound(f"webhook {message_id}: not found")
        raise InvalidInput(f"webhook {message_id}: {found.status}; only dead ones can be retried")
    return again


def recent(
    connection: Connection,
    *,
    status: str | None = None,
    job_id: UUID | None = None,
    limit: int = 20,
) -> list[Message]:
    """Return the newest messages, filtered by the given values."""
    return _messages(connection, "recent", status=status, job_id=job_id, limit=limit)


def summary(connection: Connection) -> OutboxSummary:
    """Return numbers of messages that were not delivered."""
    return OutboxSummary(**select(connection, "webhooks.summary")[0])


def remove_delivered(connection: Connection, *, age_s: float) -> int:
    """Remove messages that were delivered `age_s` ago or earlier; return their number."""
    return len(select(connection, "webhooks.remove_delivered", age_s=age_s))


def _messages(connection: Connection, statement: str, **parameters: Any) -> list[Message]:
    rows = select(connection, f"webhooks.{statement}", **parameters)
    return [Message(**{name: row[name] for name in _COLUMNS}) for row in rows]


def _first(messages: list[Message]) -> Message | None:
    return messages[0] if messages else None
