"""Names of files in one folder."""

from __future__ import annotations

from mashup_worker.system.names import free_name, safe_names


def test_names_in_a_folder_are_distinct_on_every_system() -> None:
    names = ["vocals 2", "Vocals", "vocals", "a/b", "a_b", "e\u0301", "\u00e9"]
    found = safe_names(names)
    assert found == ["vocals 2", "Vocals", "vocals 3", "a_b", "a_b 2", "e\u0301", "\u00e9 2"]


def test_shortened_names_are_distinct() -> None:
    assert safe_names(["x" * 300 + "1", "x" * 300 + "2"], 5) == ["xxxxx", "xxxxx 2"]


def test_a_taken_name_is_numbered() -> None:
    taken: set[str] = set()
    assert [free_name("a", taken) for _ in range(3)] == ["a", "a 2", "a 3"]
