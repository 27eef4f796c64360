"""Progress bars on stderr; shown on a terminal only."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, ProgressColumn

    OnShare = Callable[[str, float], None]
    """Called with the name of a stage and the share of it that is done."""


@contextmanager
def song_progress(label: str, shown: bool) -> Iterator[OnShare | None]:
    """Show a bar while the block runs; yield None where it is not shown."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import TextColumn

    with _shown(_bars(TextColumn("{task.percentage:>3.0f} %"))) as bars:
        task = bars.add_task("", total=1, label=label)
        yield lambda stage, share: bars.update(task, description=stage, completed=share)


class _Bar:
    """Bar with one task; without effect where bars are not shown."""

    def __init__(self, bars: Progress | None, total: float, label: str) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=total, label=label) if bars else None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bar while the block prints."""
        with _stopped(self._bars):
            yield

    def _update(self, **changes: Any) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, **changes)


class BatchBar(_Bar):
    """Bar over the songs of a call."""

    def __init__(self, bars: Progress | None, songs: int, label: str) -> None:
        super().__init__(bars, songs, label)
        self._songs = songs

    def song_done(self) -> None:
        """Advance by one song."""
        self._update(description="", advance=0 if self._songs == 1 else 1)

    def stage(self, stage: str, share: float) -> None:
        """Show the stage of a song, and its share if it is the only song."""
        self._update(description=stage, completed=share if self._songs == 1 else None)


@contextmanager
def batch_progress(songs: int, label: str, shown: bool) -> Iterator[BatchBar]:
    """Show a bar that counts songs, or the stages of a single song."""
    if not shown or not songs or not sys.stderr.isatty():
        yield BatchBar(None, songs, label)
        return
    from rich.progress import MofNCompleteColumn, TextColumn

    share = TextColumn("{task.percentage:>3.0f} %") if songs == 1 else MofNCompleteColumn()
    with _shown(_bars(share)) as bars:
        yield BatchBar(bars, songs, label)


class SongBars:
    """Bar for each song in flight; without effect where bars are not shown."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars

    @contextmanager
    def song(self, label: str) -> Iterator[OnShare]:
        """Show a bar while the block runs; callable from any thread."""
        if self._bars is None:
            yield lambda _stage, _share: None
            return
        bars = self._bars
        task = bars.add_task("", total=1, label=label)
        try:
            yield lambda stage, share: bars.update(task, description=stage, completed=share)
        finally:
            bars.remove_task(task)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bars while the block prints."""
        with _stopped(self._bars):
            yield


@contextmanager
def song_bars(shown: bool) -> Iterator[SongBars]:
    """Show bars for songs in flight while the block runs."""
    if not shown or not sys.stderr.isatty():
        yield SongBars(None)
        return
    from rich.progress import TextColumn

    with _shown(_bars(TextColumn("{task.percentage:>3.0f} %"))) as bars:
        yield SongBars(bars)


class ShareBar(_Bar):
    """Bar over work of known size."""

    def __init__(self, bars: Progress | None, total: float) -> None:
        super().__init__(bars, total, "")
        self._start = 0.0

    def begin(self, label: str | None, done: float, total: float) -> None:
        """Start the next part, with `done` of `total` completed."""
        self._start = done
        named = {} if label is None else {"label": label, "description": ""}
        self._update(completed=done, total=total, **named)

    def at(self, stage: str, done: float) -> None:
        """Show the stage of the part, and how much of it is done."""
        self._update(description=stage, completed=self._start + done)


@contextmanager
def share_progress(total: float, shown: bool) -> Iterator[ShareBar]:
    """Show a bar with the remaining time while the block runs."""
    if not shown or not total or not sys.stderr.isatty():
        yield ShareBar(None, total)
        return
    from rich.progress import TextColumn

    with _shown(_bars(TextColumn("{task.percentage:>3.0f} %"))) as bars:
        yield ShareBar(bars, total)


@contextmanager
def _stopped(bars: Progress | None) -> Iterator[None]:
    if bars is None:
        yield
        return
    with _interrupts_held():
        bars.stop()
    yield
    with _interrupts_held():
        bars.start()


@contextmanager
def _shown(bars: Progress) -> Iterator[Progress]:
    with _interrupts_held():
        bars.start()
    try:
        yield bars
    finally:
        with _interrupts_held():
            bars.stop()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block: rich cannot stop a bar that is half started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, Any]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(*came[0])


def _bars(share: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.fields[label]}", markup=False),
        BarColumn(),
        share,
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # Otherwise rich would move output of stdout to stderr.
        redirect_stdout=False,
        redirect_stderr=False,
    )
