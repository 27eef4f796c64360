"""`mashup separate` is stopped, by Ctrl-C or otherwise, and leaves nothing half-written."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.e2e.command import STEMS, documents, excerpt

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.command import Mashup


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach the commands, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _noise(mashup: Mashup, name: str, duration_s: int) -> Path:
    noise = 0.1 * np.random.default_rng(5).standard_normal(duration_s * 44_100)
    return mashup.song(name, noise)


def _until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + 180
    while not happened():
        assert process.poll() is None, "ended before it was stopped"
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_while_writing_leaves_no_partial_file(
    mashup: Mashup, number: signal.Signals, code: int
) -> None:
    song = _noise(mashup, "minute.wav", 60)
    folder = mashup.folder / number.name
    (folder / "minute").mkdir(parents=True)
    (folder / "minute" / "vocals.ogg").write_text("from an earlier day")
    options = ("-o", folder.name, "--model", "lite", "--format", "ogg")
    with mashup.process("separate", song, *options) as process:
        _until(lambda: len(mashup.files(folder.name)) == 1 + len(STEMS), process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == code
    assert mashup.files(folder.name) == {"minute/vocals.ogg"}
    assert (folder / "minute" / "vocals.ogg").read_text() == "from an earlier day"
    assert stdout == ""
    assert "Traceback" not in stderr


@pytest.mark.usefixtures("_ctrl_c")
def test_on_a_terminal_a_bar_shows_progress_and_ctrl_c_keeps_results(mashup: Mashup) -> None:
    songs = mashup.song("first.wav"), _noise(mashup, "second.wav", 5 * 60)
    terminal, stderr = os.openpty()
    options = ("-o", "stopped", "--model", "lite", "--json")
    with mashup.process("separate", *songs, *options, stderr=stderr) as process:
        os.close(stderr)
        seen = b""
        while not re.search(rb"second\.wav[^\r\n]* % separate", seen):
            more = _read(terminal)
            assert more, f"ended before it was stopped: {seen!r}"
            seen += more
        process.send_signal(signal.SIGINT)
        while more := _read(terminal):
            seen += more
        stdout, _ = process.communicate(timeout=180)
    os.close(terminal)
    assert process.returncode == 130
    names = (*(f"{stem}.flac" for stem in STEMS), "separation.json")
    assert mashup.files("stopped") == {f"first/{name}" for name in names}
    assert [line["input"] for line in documents(stdout)] == ["first.wav"]
    assert re.search(rb"first\.wav[^\r\n]* \d+ % ", seen)
    hidden, shown = (seen.rfind(b"\x1b[?25" + end) for end in (b"l", b"h"))
    assert hidden < shown, "the cursor stays hidden"
    assert b"Traceback" not in seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux's way of saying that nobody writes any more.
        return b""


def test_a_reader_that_has_seen_enough_is_no_reason_for_a_traceback(mashup: Mashup) -> None:
    songs = [mashup.song(f"many/{number}.wav", excerpt(1.0)) for number in range(3)]
    options = ("-o", "head", "--model", "lite", "--json")
    with mashup.process("separate", *songs, *options) as process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
    assert documents(first)[0]["input"] in {f"many/{number}.wav" for number in range(3)}
    assert "Traceback" not in stderr
    assert "BrokenPipe" not in stderr
    assert [name for name in mashup.files("head") if name.startswith(".")] == []
