"""Ids, file keys, and headers of requests."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.api.forms import FormFile, safe_name
from mashup_worker.api.replicate.file_keys import FileKey
from mashup_worker.api.replicate.files import new_key
from mashup_worker.api.replicate.headers import LONGEST_WAIT_S, deadline_s_of, wait_s_of
from mashup_worker.api.replicate.ids import PATTERN, short_id, uuid_of
from mashup_worker.errors import InvalidInput, NotFound
from mashup_worker.storage.objects import check_key


@given(st.uuids())
def test_ids_stand_for_uuids(uuid: UUID) -> None:
    short = short_id(uuid)
    assert re.fullmatch(PATTERN, short)
    assert uuid_of(short, "job") == uuid


@pytest.mark.parametrize(
    "text",
    ["", "a", "a" * 26, "A" * 26, "é" * 26, "a" * 25 + "=", "a" * 24, str(UUID(int=7)), "0" * 26],
)
def test_other_texts_are_no_ids(text: str) -> None:
    if text == "a" * 26:
        assert uuid_of(text, "job") == UUID(int=0)
        return
    with pytest.raises(NotFound, match="job"):
        uuid_of(text, "job")


def test_each_uuid_has_one_id() -> None:
    with pytest.raises(NotFound):
        uuid_of("a" * 25 + "b", "job")


@given(st.text(max_size=400))
def test_any_file_name_makes_a_valid_key(name: str) -> None:
    file = FormFile(path=Path("x"), name=safe_name(name), bytes=0, sha256="0" * 64)
    for user in (uuid4(), None):
        key = new_key(user, file)
        assert check_key(str(key))
        assert FileKey.read(str(key)) == key


@pytest.mark.parametrize("key", ["", "uploads/a/files/x/0/n", "uploads/a/b.mp3", "jobs/1/2/3"])
def test_other_keys_are_no_files(key: str) -> None:
    assert FileKey.read(key) is None


@pytest.mark.parametrize(
    ("prefer", "wait_s"),
    [
        (None, 0),
        ("", 0),
        ("respond-async", 0),
        ("wait", LONGEST_WAIT_S),
        ("wait=60", LONGEST_WAIT_S),
        ("wait=5", 5),
        ("Wait = 5", 5),
        ("respond-async, wait=10", 10),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=x", 0),
    ],
)
def test_waiting_is_preferred(prefer: str | None, wait_s: float) -> None:
    assert wait_s_of(prefer) == wait_s


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [(None, None), ("90", 90), ("30s", 30), ("5m", 300), ("1h30m45s", 5_445), ("5", 5)],
)
def test_deadlines_are_durations(text: str | None, duration_s: float | None) -> None:
    assert deadline_s_of(text) == duration_s


@pytest.mark.parametrize("text", ["", "4", "0s", "-5", "5 s", "soon", "1d", "5s5m", "9999999"])
def test_other_deadlines_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="Cancel-After"):
        deadline_s_of(text)
