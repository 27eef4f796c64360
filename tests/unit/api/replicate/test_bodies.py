"""JSON bodies with a song as a data URL."""

from __future__ import annotations

import base64
import json
import tracemalloc
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mashup_worker.api.replicate.bodies import JsonBody
from mashup_worker.errors import InvalidInput, MashupError, TooLarge

SONG = bytes(range(256)) * 20


def read(body: bytes, step: int = 4_096, limit: int = 100_000) -> tuple[Any, bytes | None, str]:
    """Return document, file and its name of a body that arrives in blocks."""
    with TemporaryDirectory() as folder, JsonBody(Path(folder, "file"), limit) as parser:
        for start in range(0, len(body), step):
            parser.feed(body[start : start + step])
        document = parser.document()
        if parser.file is None:
            return document, None, ""
        assert parser.is_file(document["input"]["audio"])
        song = parser.file.path.read_bytes()
        assert parser.file.bytes == len(song)
        assert parser.file.sha256 == sha256(song).hexdigest()
        return document, song, parser.file.name


def with_song(song: bytes = SONG, header: str = "audio/mpeg;base64", **more: Any) -> dict[str, Any]:
    url = f"data:{header},{base64.b64encode(song).decode()}"
    return {"version": 'é"\\', "input": {**more, "audio": url}}


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64, 100_000])
@pytest.mark.parametrize(
    "encode",
    [
        json.dumps,
        lambda document: json.dumps(document, ensure_ascii=False, indent=2),
        lambda document: json.dumps(document).replace("/", "\\/"),  # as PHP writes it
        lambda document: json.dumps(document).replace("+", "\\u002B"),
    ],
)
def test_the_song_is_decoded_in_blocks_of_any_size(encode: Any, step: int) -> None:
    document, song, name = read(encode(with_song(x='a"b')).encode(), step)
    assert (song, name) == (SONG, "audio.mp3")
    assert document["version"] == 'é"\\'
    assert document["input"]["x"] == 'a"b'


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.just("dat") | st.just('"data:'),
        lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
        max_leaves=8,
    ),
    st.integers(1, 50),
)
def test_bodies_without_a_data_url_are_plain_json(document: Any, step: int) -> None:
    for ascii_only in (True, False):
        body = json.dumps(document, ensure_ascii=ascii_only).encode()
        if b'"data:' not in body:
            assert read(body, step) == (document, None, "")


@pytest.mark.parametrize("song", [b"", b"a", b"ab", b"abc"])
def test_padding_may_be_missing_and_lines_may_be_broken(song: bytes) -> None:
    body = json.dumps(with_song(song)).replace("=", "")
    assert read(body.encode())[1] == song
    assert read(body.replace("base64,", "base64,\\r\\n").encode())[1] == song


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", InvalidInput),
        (b"[" * 100_000, InvalidInput),
        (b'{"input": {"audio": "data:audio/mpeg;base64,AAAA', InvalidInput),
        (b'{"input": {"audio": "data:audio/mpeg;base64,AAAA"}', InvalidInput),
        (b'{"input": {"audio": "data:audio/mpeg;base64"}}', InvalidInput),
        (b'{"input": {"audio": "data:audio/mpeg,AAAA"}}', InvalidInput),
        (b'{"input": {"audio": "data:;base64,A"}}', InvalidInput),
        (b'{"input": {"audio": "data:;base64,AA=A"}}', InvalidInput),
        (b'{"input": {"audio": "data:;base64,AA==AAAA"}}', InvalidInput),
        (b'{"input": {"audio": "data:;base64,A*AA"}}', InvalidInput),
        (b'{"input": {"audio": "data:;base64,AAAA\\u12"}}', InvalidInput),
        (b'{"input": {"audio": "data:' + b"x" * 1_000 + b'"}}', InvalidInput),
        (b'{"a": "data:;base64,AAAA", "b": "data:;base64,AAAA"}', InvalidInput),
        (b'{"a": "\\ud800"}', InvalidInput),
        (b'{"\\ud800": 1}', InvalidInput),
        (b'{"a": "' + b"x" * 300_000 + b'"}', TooLarge),
        (json.dumps(with_song(b"x" * 100_001)).encode(), TooLarge),
    ],
)
def test_damaged_and_oversized_bodies_are_refused(body: bytes, kind: type[MashupError]) -> None:
    for step in (7, 65_536):
        with pytest.raises(kind):
            read(body, step)


def test_the_media_type_decides_the_suffix_of_the_name() -> None:
    for header, name in {
        "audio/mpeg;base64": "audio.mp3",
        "audio/mp3;base64": "audio.mp3",
        "audio/x-wav;charset=x;base64": "audio.wav",
        "text/html;base64": "audio.bin",
        "../../x;base64": "audio.bin",
        ";base64": "audio.bin",
    }.items():
        assert read(json.dumps(with_song(b"abc", header)).encode())[2] == name


def test_a_long_song_needs_no_memory() -> None:
    block = b"A" * 65_536
    with TemporaryDirectory() as folder, JsonBody(Path(folder, "file"), 50_000_000) as parser:
        parser.feed(b'{"input": {"audio": "data:audio/mpeg;base64,')
        tracemalloc.start()
        for _ in range(300):
            parser.feed(block)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        parser.feed(b'"}}')
        parser.document()
        assert parser.file is not None
        assert parser.file.bytes == 300 * 65_536 * 3 // 4
    assert peak_bytes < 1_000_000
