"""A busy day in small: who waits, and who never waits too long."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.queue_order import (
    AGEING_S,
    STEP_S,
    busy_day,
    overtaken,
    waits_first_come,
    waits_in_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.queue_order import Arrival

STUDIO_STEPS = 16
TIERS = ("free", "pro", "studio")


def test_tiers_wait_in_their_order_and_nobody_starves(migrated_url: str) -> None:
    day = busy_day(1_000, 80, seed=5)
    kept: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
    with psycopg.connect(migrated_url, **kept) as connection:
        waits = waits_in_order(connection, day)
    naive = waits_first_come(day)

    def median(group: Iterable[Arrival]) -> float:
        return statistics.median(waits[one.id] for one in group)

    of = {tier: [one for one in day if one.tier == tier and not one.dumped] for tier in TIERS}
    heap = [one for one in day if one.dumped]
    assert median(of["studio"]) <= median(of["pro"]) < median(of["free"])
    assert max(waits[one.id] for one in of["studio"]) < 0.5 * max(naive.values())
    # Whoever inserts very many at once waits, and not those who come next.
    soon_after = [one for one in of["free"] if 0 < one.at_s - heap[0].at_s < 1_800]
    assert len(soon_after) >= 5
    assert median(soon_after) < 0.5 * median(heap)
    # A step more than the tiers lie apart, and no newcomer of any tier goes first any more.
    assert overtaken(day, waits) <= (STUDIO_STEPS + 1) * AGEING_S + STEP_S
