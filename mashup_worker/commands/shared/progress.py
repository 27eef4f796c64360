"""Progress bars on stderr; shown on a terminal only."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mashup_worker.commands.shared.names import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    OnShare = Callable[[str, float], None]
    """Called with the name of a stage and the share of it that is done."""

    Figures = Literal["share", "count", "bytes"]
    """Figures beside a bar: percent, a count, or bytes and their rate."""


class Bars:
    """Bars of songs; without effect where they are not shown."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars

    @contextmanager
    def song(self, label: str) -> Iterator[OnShare]:
        """Show a bar while the block runs; callable from any thread."""
        if self._bars is None:
            yield lambda _stage, _share: None
            return
        bars = self._bars
        task = bars.add_task("", total=1, label=one_line(label))
        try:
            yield lambda stage, share: bars.update(task, description=stage, completed=share)
        finally:
            bars.remove_task(task)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bars while the block prints."""
        if self._bars is None:
            yield
            return
        with _interrupts_held():
            self._bars.stop()
        yield
        with _interrupts_held():
            self._bars.start()


class Bar(Bars):
    """Bar over work of known size, with the remaining time."""

    def __init__(self, bars: Progress | None, total: float, label: str) -> None:
        super().__init__(bars)
        self._task = bars.add_task("", total=total, label=one_line(label)) if bars else None
        self._start = 0.0

    def begin(self, label: str | None, done: float, total: float) -> None:
        """Start the next part, with `done` of `total` completed."""
        self._start = done
        named = {} if label is None else {"label": one_line(label), "description": ""}
        self._update(completed=done, total=total, **named)

    def at(self, stage: str, done: float) -> None:
        """Show the stage of the part, and how much of it is done."""
        self._update(description=stage, completed=self._start + done)

    def _update(self, **changes: Any) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, **changes)


@contextmanager
def song_bars(shown: bool) -> Iterator[Bars]:
    """Show bars for songs in flight while the block runs."""
    with _shown(shown, "share") as bars:
        yield Bars(bars)


@contextmanager
def progress_bar(
    total: float, shown: bool, label: str = "", figures: Figures = "share"
) -> Iterator[Bar]:
    """Show one bar while the block runs, unless there is nothing to do."""
    with _shown(shown and total > 0, figures) as bars:
        yield Bar(bars, total, label)


@contextmanager
def song_progress(label: str, shown: bool) -> Iterator[OnShare]:
    """Show the bar of one song while the block runs."""
    with song_bars(shown) as bars, bars.song(label) as report:
        yield report


@contextmanager
def _shown(shown: bool, figures: Figures) -> Iterator[Progress | None]:
    if not shown or not sys.stderr.isatty():
        yield None
        return
    bars = _progress(figures)
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


def _progress(figures: Figures) -> Progress:
    from rich import progress
    from rich.console import Console

    columns: dict[Figures, list[progress.ProgressColumn]] = {
        "share": [progress.TextColumn("{task.percentage:>3.0f} %")],
        "count": [progress.MofNCompleteColumn()],
        "bytes": [progress.DownloadColumn(), progress.TransferSpeedColumn()],
    }
    return progress.Progress(
        progress.TextColumn("{task.fields[label]}", markup=False),
        progress.BarColumn(),
        *columns[figures],
        progress.TextColumn("{task.description}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # Otherwise rich would move output of stdout to stderr.
        redirect_stdout=False,
        redirect_stderr=False,
    )
