"""Followers of jobs, without servers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from mashup_worker.api.events import Follower, JobEvents, StreamEnded
from mashup_worker.api.routes import events as routes
from mashup_worker.db.database import Database
from mashup_worker.db.reads import Reads
from mashup_worker.queue.status import StatusView
from mashup_worker.settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUED = StatusView(id=uuid4(), attempt=0, status="queued", progress=0, stage=None)
RUNNING = replace(QUEUED, attempt=1, status="processing", progress=20, stage="fetch")


def test_a_follower_keeps_the_newest_state_only() -> None:
    async def check() -> None:
        follower = Follower(QUEUED)
        for progress in (20, 30, 40):
            follower.offer(replace(RUNNING, progress=progress))
        follower.offer(replace(RUNNING, progress=35))  # late
        follower.offer(replace(RUNNING, progress=40))  # repeated
        newest = await follower.next(60)
        assert newest is not None
        assert newest.progress == 40
        assert await follower.next(0.001) is None
        follower.offer(replace(RUNNING, progress=40, stage="separate"))
        assert await follower.next(60) is not None
        follower.offer(replace(RUNNING, status="queued", stage=None))
        follower.end()
        again = await follower.next(60)
        assert again is not None
        assert again.status == "queued"
        with pytest.raises(StreamEnded):
            await follower.next(60)

    asyncio.run(check())


def test_a_published_status_is_read_back() -> None:
    state = replace(RUNNING, error_code="timeout", error_message="too long")
    assert StatusView.from_published(state.published()) == state


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    """Connections that are never opened, since the events are not started."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    with Database("postgresql://127.0.0.1:1/none") as unused:
        yield Reads(unused, size=1)


def test_an_idle_stream_sends_comments(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT_S", 0.001)

    async def check() -> None:
        events = JobEvents(reads, ServiceSettings())
        stream = routes._stream(events, RUNNING, is_known=False)
        assert (await anext(stream)).startswith(b'data: {"status":"processing"')
        for _ in range(3):
            assert await anext(stream) == b": \n\n"
        await stream.aclose()  # type: ignore[attr-defined]
        assert not events._followers
        stream = routes._stream(events, RUNNING, is_known=True)
        assert await anext(stream) == b": \n\n"
        events.end()
        assert [part async for part in stream] == []
        assert not events._followers

    asyncio.run(check())


def test_a_stream_ends_after_its_longest_time(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_LONGEST_STREAM_S", 0.0)

    async def check() -> None:
        events = JobEvents(reads, ServiceSettings())
        assert len([one async for one in routes._stream(events, RUNNING, is_known=False)]) == 1

    asyncio.run(check())
