"""Signals during calls of C code."""

from __future__ import annotations

import io
import signal
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mashup_worker.audio.libsndfile import ForwardOnly
from mashup_worker.system.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.audio.source import Block

BOTH = [signal.SIGINT, signal.SIGTERM]


class Ended(Exception):
    """Raised by the handler of a signal."""


@pytest.fixture
def ending() -> Iterator[None]:
    """Both signals raise `Ended`."""

    def end(number: int, _: object) -> None:
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_handled_after_the_block(number: signal.Signals) -> None:
    done, handler = [], signal.getsignal(number)

    def work() -> None:
        with deferred_interrupts():
            signal.raise_signal(number)
            done.append("all")

    with pytest.raises(Ended):
        work()
    assert done == ["all"]
    assert signal.getsignal(number) == handler


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_the_handlers() -> None:
    found = []

    def look() -> None:
        with deferred_interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


class Interrupted(io.BytesIO):
    """File during whose next call a signal arrives."""

    is_near = False

    def _arrive(self) -> None:
        if self.is_near:
            self.is_near = False
            signal.raise_signal(signal.SIGINT)

    def write(self, data: object) -> int:
        self._arrive()
        return super().write(data)  # type: ignore[arg-type]

    def readinto(self, buffer: object) -> int:
        self._arrive()
        return super().readinto(buffer)  # type: ignore[arg-type]


def noise(frames: int) -> Block:
    return np.random.default_rng(0).uniform(-1, 1, (frames, 2)).astype(np.float32)


@pytest.mark.usefixtures("ending")
def test_a_signal_in_a_callback_of_libsndfile_is_not_lost(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = Interrupted()
    sound = ForwardOnly(file, "w", 44_100, 2, format="FLAC")
    file.is_near = True
    with pytest.raises(Ended):
        sound.write(noise(100_000))
    sound.write(noise(50_000))
    file.is_near = True
    with pytest.raises(Ended):
        sound.close()
    file.seek(0)
    sound = ForwardOnly(file)
    file.is_near = True
    with pytest.raises(Ended):
        sound.read_block(100_000)
    sound.close()
    assert not file.is_near
    assert capfd.readouterr().err == ""
