"""Searches of stems use indexes."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.stem_search import explain, fill, searches, whole_tables


def test_no_search_reads_a_whole_table(migrated_url: str) -> None:
    kept: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
    with psycopg.connect(migrated_url, **kept) as owner:
        user = fill(owner, 12_000)
        plans = {
            f"{name}, {statement}": explain(owner, user, statement, parameters)["Plan"]
            for name, statement, parameters in searches(user)
        }
        assert {
            name: whole_tables(plan) for name, plan in plans.items() if whole_tables(plan)
        } == {}
        assert all(plan["Actual Rows"] for plan in plans.values())
        # Without the indexes of the migration, the check finds whole tables.
        owner.execute("DROP INDEX stems_recent, stems_public, stems_of_user, stems_of_kind")
        statement, parameters = next((s, p) for _, s, p in searches(user))
        assert whole_tables(explain(owner, user, statement, parameters)["Plan"]) == ["stems"]
