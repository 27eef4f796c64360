"""Fixtures of tests with injected faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.arena import Arena, arena, role_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.stack.stack import Stack

__all__ = ["place", "role_passwords", "servers"]


@pytest.fixture(scope="package")
def servers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with arena(tmp_path_factory.mktemp("arena"), stack) as place:
        yield place


@pytest.fixture
def place(servers: Arena) -> Iterator[Arena]:
    """Servers without jobs, processes and faults of earlier tests."""
    with servers.sql() as connection:
        connection.execute(
            "TRUNCATE public.ai_jobs, public.stems, public.mashups,"
            " mashup_worker.paused_queues CASCADE"
        )
    servers.redis.flushall()
    for fault in servers.faults.iterdir():
        fault.unlink()
    yield servers
    for process in servers.processes:
        process.end()
    servers.processes.clear()
    servers.s3_proxy.set_mode("pass")
    servers.postgres_proxy.set_mode("pass")
