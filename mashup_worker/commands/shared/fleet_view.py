"""Figures of the fleet as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mashup_worker.commands.shared.job_view import duration_text, queue_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from mashup_worker.monitoring.fleet import (
        Fleet,
        Percentiles,
        PeriodFigures,
        Process,
        QueueFigures,
        ThroughputFigures,
    )

_GIB = 1 << 30


def render(fleet: Fleet) -> RenderableType:
    """Return the figures as tables."""
    parts: list[RenderableType] = [
        Text(queue_line(queue.name, queue.paused_at), style="yellow")
        for queue in fleet.queues
        if queue.paused_at
    ]
    parts.append(_queues(fleet.queues))
    if fleet.processes is None:
        parts.append(Text("worker processes: unknown; Redis is unreachable", style="red"))
    else:
        parts.append(_processes(fleet.processes))
    parts.append(_throughput(fleet.throughput))
    return Group(*parts)


def _queues(queues: Sequence[QueueFigures]) -> Table:
    table = Table("queue", "tier", "queued", "running", "oldest waits")
    for queue in queues:
        state = " (paused)" if queue.paused_at else ""
        for tier, one in (("all", queue), *((one.tier, one) for one in queue.tiers)):
            table.add_row(
                queue.name + state if one is queue else "",
                tier,
                str(one.queued),
                str(one.running),
                "-" if one.oldest_queued_s is None else duration_text(one.oldest_queued_s),
            )
    return table


def _processes(processes: Sequence[Process]) -> Table:
    table = Table(
        *("process", "queue", "state", "device", "models", "job", "memory", "device memory"),
        *("up", "seen"),
        title=f"{len(processes)} worker process{'es' * (len(processes) != 1)}",
    )
    for one in processes:
        memory = one.device_memory_bytes
        table.add_row(
            f"{one.host} {one.pid}",
            one.queue,
            _state(one),
            one.device_name or one.device,
            ", ".join(one.models) or "-",
            _job(one),
            f"{one.memory_bytes / _GIB:.1f} GiB",
            f"{memory['reserved'] / _GIB:.1f} GiB" if "reserved" in memory else "-",
            duration_text(one.uptime_s),
            f"{one.heartbeat_age_s:.0f} s ago",
        )
    return table


def _state(process: Process) -> Text:
    if process.unreachable:
        return Text(f"waits for {' and '.join(process.unreachable)}", style="red")
    busy = process.state == "ready" and process.job is not None
    return Text("busy" if busy else process.state)


def _job(process: Process) -> str:
    job = process.job
    if job is None:
        return "-"
    stage = f", {job.stage}" if job.stage else ""
    return f"{job.job_type} {job.id}: {job.progress} %{stage}, {duration_text(job.age_s)}"


def _throughput(figures: ThroughputFigures) -> Table:
    table = Table(
        *(figures.group_by or "", "completed", "failed", "canceled", "audio", "device"),
        *("waiting p50 / p95", "running p50 / p95", "cost"),
        title=f"ended in the last {figures.hours:g} h",
    )
    names = [one.group or "none" for one in figures.groups]
    for name, one in (("all", figures.total), *zip(names, figures.groups, strict=True)):
        table.add_row(*_row(name, one))
    return table


def _row(name: str, one: PeriodFigures) -> tuple[str, ...]:
    return (
        name,
        str(one.completed),
        str(one.failed),
        str(one.canceled),
        duration_text(one.audio_s),
        duration_text(one.device_s),
        _percentiles(one.waiting_s),
        _percentiles(one.running_s),
        "-" if one.cost is None else f"{one.cost:.2f}",
    )


def _percentiles(found: Percentiles | None) -> str:
    return "-" if found is None else f"{duration_text(found.p50)} / {duration_text(found.p95)}"
