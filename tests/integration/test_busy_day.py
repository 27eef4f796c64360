"""Waiting times on a simulated busy day."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.queue_order import (
    AGING_S,
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


def test_tiers_wait_in_their_order_without_starvation(migrated_url: str) -> None:
    day = busy_day(1_000, 80, seed=5)
    kept: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
    with psycopg.connect(migrated_url, **kept) as connection:
        waits = waits_in_order(connection, day)
    naive = waits_first_come(day)

    def median(group: Iterable[Arrival]) -> float:
        return statistics.median(waits[one.id] for one in group)

    of = {tier: [one for one in day if one.tier == tier and not one.bulk] for tier in TIERS}
    bulk = [one for one in day if one.bulk]
    assert median(of["studio"]) <= median(of["pro"]) < median(of["free"])
    assert max(waits[one.id] for one in of["studio"]) < 0.5 * max(naive.values())
    # A user who inserts many jobs at once waits; users who come later do not.
    soon_after = [one for one in of["free"] if 0 < one.at_s - bulk[0].at_s < 1_800]
    assert len(soon_after) >= 5
    assert median(soon_after) < 0.5 * median(bulk)
    # After one aging step more than the distance of the tiers, no later job starts first.
    assert overtaken(day, waits) <= (STUDIO_STEPS + 1) * AGING_S + STEP_S
