"""Plans as JSON files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan_document import format_plan, load_plan, parse_plan
from tests.unit.mixing.test_plan import document

if TYPE_CHECKING:
    from pathlib import Path


def test_a_written_plan_is_read_back_equal(tmp_path: Path) -> None:
    plan = parse_plan(document(notes=["überall"], seed=7))
    path = tmp_path / "plan.json"
    path.write_text(format_plan(plan), encoding="utf-8")
    assert load_plan(path) == plan
    assert max(map(len, format_plan(plan).splitlines())) <= 120


def test_other_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(InvalidInput, match=r"plan\.json: No such file"):
        load_plan(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="UTF-8"):
        load_plan(path)
    path.write_text('{\n "form": layer}')
    with pytest.raises(InvalidInput, match=r"JSON.* line 2"):
        load_plan(path)
    path.write_text(json.dumps([1]))
    with pytest.raises(InvalidInput, match=r"plan\.json"):
        load_plan(path)
    path.write_text("[" * 100_000)
    with pytest.raises(InvalidInput, match=r"plan\.json"):
        load_plan(path)
    path.write_text('{"seed": ' + "9" * 5_000 + "}")
    with pytest.raises(InvalidInput, match="digits"):
        load_plan(path)
