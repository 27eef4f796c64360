"""Worker processes that announce themselves in Redis.

`mashup:process:<id>` holds the latest announcement of a process as JSON, and expires soon after the
process has died. The set `mashup:processes` has the ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, ValidationError

from mashup_worker.described import DescribedModel

if TYPE_CHECKING:
    import redis

ProcessState = Literal["starting", "ready", "stopping"]

TTL_S = 45
"""Longest time without an announcement; several are sent meanwhile."""

_IDS = "mashup:processes"
_IDS_TTL_S = 86_400


class ProcessReport(DescribedModel):
    """Announcement of a worker process."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    id: str = Field(
        examples=["gpu-1:4321"], description="Name of the process, as in `worker_id` of jobs."
    )
    host: str = Field(examples=["gpu-1"])
    pid: int = Field(examples=[4_321])
    queue: str = Field(examples=["gpu"])
    version: str = Field(examples=["0.1.0"], description="Version of mashup-worker.")
    state: ProcessState
    device: str = Field(examples=["cuda:0"])
    device_name: str | None = Field(
        examples=["NVIDIA H100 80GB HBM3"], description="Null for CPUs, and before the first use."
    )
    models: tuple[str, ...] = Field(description="Loaded models, the last used at the end.")
    memory_bytes: int = Field(examples=[2_400_000_000], description="Resident memory.")
    device_memory_bytes: dict[str, int] = Field(
        description="CUDA memory: allocated and reserved by the process, free and total of its "
        "device. Empty on a CPU."
    )
    unreachable: tuple[str, ...] = Field(description="Services that do not answer the process.")
    uptime_s: float = Field(
        examples=[86_400.5], description="Seconds since the start of the process."
    )


class AnnouncedProcess(ProcessReport):
    """Worker process as it announced itself `heartbeat_age_s` ago."""

    heartbeat_age_s: float = Field(
        examples=[3.2], description="Seconds since the last announcement."
    )


def announce(client: redis.Redis, report: ProcessReport) -> None:
    """Announce a process.

    Raises:
        redis.RedisError: Redis is unreachable or refuses.
    """
    with client.pipeline() as pipeline:
        pipeline.set(_key(report.id), report.model_dump_json(), ex=TTL_S)
        pipeline.sadd(_IDS, report.id)
        pipeline.expire(_IDS, _IDS_TTL_S)
        pipeline.execute()


def withdraw(client: redis.Redis, process_id: str) -> None:
    """Remove the announcement of a process that ends.

    Raises:
        redis.RedisError: Redis is unreachable or refuses.
    """
    with client.pipeline() as pipeline:
        pipeline.delete(_key(process_id))
        pipeline.srem(_IDS, process_id)
        pipeline.execute()


def announced(client: redis.Redis) -> list[AnnouncedProcess]:
    """Return all processes whose announcements have not expired, by host and id.

    Raises:
        redis.RedisError: Redis is unreachable or refuses.
    """
    members = client.smembers(_IDS)
    ids = sorted(one.decode(errors="replace") for one in members if isinstance(one, bytes))
    with client.pipeline() as pipeline:
        for one in ids:
            pipeline.get(_key(one))
            pipeline.pttl(_key(one))
        answers = pipeline.execute()
    found, gone = [], []
    for process_id, document, left_ms in zip(ids, answers[::2], answers[1::2], strict=True):
        process = None if document is None else _read(document, left_ms / 1_000)
        if process is None:
            gone.append(process_id)
        else:
            found.append(process)
    if gone:
        client.srem(_IDS, *gone)
    return sorted(found, key=lambda one: (one.host, one.id))


def _read(document: bytes, left_s: float) -> AnnouncedProcess | None:
    """Return the process of an announcement, with its times as of now; None for other content."""
    try:
        report = ProcessReport.model_validate_json(document)
    except ValidationError:
        return None
    # By the clock of Redis alone, since hosts may disagree about the time.
    age_s = max(0.0, TTL_S - left_s)
    values = {**report.model_dump(), "uptime_s": report.uptime_s + age_s}
    return AnnouncedProcess(**values, heartbeat_age_s=age_s)


def _key(process_id: str) -> str:
    return f"mashup:process:{process_id}"
