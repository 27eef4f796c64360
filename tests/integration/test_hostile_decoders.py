"""Decoders that hang, crash, or were taken over: errors of their file, and clean tags."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio import sandbox
from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.errors import InvalidInput, OutOfMemory
from tests.integration.decoders import replace_decoder
from tests.unit.audio_fixtures import music, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

MISBEHAVIOR = {
    "silent": "",
    "nonsense": "send(b'%%%\\n')",
    "a huge rate": 'send(b\'{"sample_rate": 1e12, "channels": 2}\\n\')',
    "many channels": 'send(b\'{"sample_rate": 44100, "channels": 4096}\\n\')',
    "an endless message": "send(b'x' * 100_000)",
    "an error of ours": 'send(b\'{"error": "lease_lost", "message": "x"}\\n\')',
    "samples before their rate": "samples(bytes(80))",
    "done without samples": "send(HEAD + b'{\"done\": true}\\n')",
    "half a frame": "send(HEAD); samples(bytes(81)); send(b'{\"done\": true}\\n')",
    "samples and no end": "send(HEAD); samples(bytes(80))",
    "endless samples": "send(HEAD)\nwhile True: samples(bytes(65536))",
    "an exit code": "send(HEAD); samples(bytes(80)); sys.exit(3)",
    "a segmentation fault": "send(HEAD); samples(bytes(80)); os.kill(os.getpid(), 11)",
    "warnings that are none": "send(b'{\"warnings\": 5}\\n')",
    "tags that are none": "send(HEAD + b'{\"tags\": 5}\\n')",
    "a cover that is none": "send(HEAD + b'{\"cover\": 5}\\n')",
    "an endless cover": "send(HEAD)\nwhile True: send(b'{\"cover\": \"' + b'A' * 8192 + b'\"}\\n')",
    "deeply nested": "send(b'[' * 9000 + b'\\n')",
}


def test_tags_that_hang_or_crash_do_not_prevent_the_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    for work in ("while True: pass", "raise MemoryError", "raise RecursionError"):
        replace_tag_reader(monkeypatch, work)
        assert decode_sandboxed(source, tmp_path / "clean.wav").tags == NO_TAGS


def test_tags_of_a_decoder_that_was_taken_over_are_cleaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    hostile = {"title": "a\n\x1b[31mb", "artist": "x" * 9_000, "track": "<b>", "date": "soon"}
    body = f"send(HEAD); samples(bytes(80)); send({json.dumps({'tags': hostile})!r}.encode())\n"
    body += 'send(b\'\\n{"cover": "PHN2Zz4="}\\n{"done": true}\\n\')'
    replace_decoder(monkeypatch, body)
    found = decode_sandboxed(source, tmp_path / "clean.wav")
    assert found.tags == SongTags(title="a [31mb", artist="x" * 200)


@pytest.mark.parametrize("way", MISBEHAVIOR)
def test_a_decoder_that_misbehaves_is_an_error_of_the_file(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    replace_decoder(monkeypatch, MISBEHAVIOR[way])
    with pytest.raises(InvalidInput) as raised:
        decode_sandboxed(source, tmp_path / "clean.wav", SandboxLimits(max_duration_s=5.0))
    assert raised.value.code in {"invalid_input", "unsupported_audio", "too_long"}
    assert str(source) in raised.value.message
    assert "\n" not in raised.value.message
    assert list(tmp_path.iterdir()) == [source]


def test_a_decoder_killed_by_the_system_is_retryable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    replace_decoder(monkeypatch, "send(HEAD); os.kill(os.getpid(), 9)")
    with pytest.raises(OutOfMemory) as raised:
        decode_sandboxed(source, tmp_path / "clean.wav")
    assert raised.value.retryable


def replace_tag_reader(monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    """Other work in place of the reading of tags."""
    program = (
        "import sys; sys.path.insert(0, {root!r})\n"
        "from mashup_worker.audio import tag_reader\n"
        f"def read_tags(path):\n    {work}\n"
        "tag_reader.read_tags = read_tags\n"
        "from mashup_worker.audio.sandbox_child import main; sys.exit(main())"
    )
    monkeypatch.setattr(sandbox, "_COMMAND", program)
