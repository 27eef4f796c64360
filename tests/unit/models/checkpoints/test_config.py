"""Untrusted YAML: plain values are read, everything else is refused with one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.checkpoints.config import MAX_CONFIG_BYTES, parse_config, read_config

if TYPE_CHECKING:
    from pathlib import Path

_BOMB = "a0: &a0 [1, 1]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
"""A kilobyte that stands for 200 million numbers."""


def test_aliases_are_read() -> None:
    assert parse_config("a: &x [1]\nb: *x", "c.yaml") == {"a": [1], "b": [1]}


def test_tuples_of_plain_values_and_numbers_without_a_point_are_read() -> None:
    text = "bands: !!python/tuple\n  - 2\n  - 0.5\n  - x\ninit: 1e-3\ncount: -2E4\nname: 1e\n"
    assert parse_config(text, "c.yaml") == {
        "bands": (2, 0.5, "x"),
        "init": 0.001,
        "count": -20_000.0,
        "name": "1e",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['x']", "line 2: .*python/object/apply:os.sys"),
        ("a: !!python/name:os.system", "the tag '!!python/name:os.system' is not allowed"),
        ("a: !ruby 1", "the tag '!ruby' is not allowed"),
        ("a: !!python/tuple {b: 1}", "!!python/tuple is not a list of plain values"),
        ("a: !!python/tuple [[1]]", "!!python/tuple is not a list of plain values"),
        (_BOMB, "more than 100000 values"),
        ("a: &x\n  b: *x", "more than 100000 values"),
        ("a: b: c", "line 1: not YAML"),
        ("- 1", "not a mapping of keys"),
        ("", "not a mapping of keys"),
        ("[" * 5000, "nested too deeply"),
        ("\0", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
    ],
)
def test_everything_else_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"^c\.yaml.*{reason}") as caught:
        parse_config(text, "c.yaml")
    assert "\n" not in caught.value.message


def test_missing_and_long_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    with pytest.raises(ModelUnavailable, match=r"long\.yaml: No such file"):
        read_config(path)
    path.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    with pytest.raises(ModelUnavailable, match="longer than 1048576 bytes"):
        read_config(path)
