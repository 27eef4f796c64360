"""Windows of all songs in flight, gathered into full batches for one device."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

import torch
from torch.nn import functional as F

from mashup_worker.errors import OutOfMemory
from mashup_worker.models.device import is_out_of_memory, release_memory
from mashup_worker.models.memory_events import record_out_of_memory
from mashup_worker.models.streams import stream_for, upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from mashup_worker.models.runner import Arithmetic, NetworkRunner

_CUDA_BYTES_PER_WINDOW = 2 << 30
_CUDA_MAX_BATCH = 16


@dataclass(frozen=True, eq=False)
class Window:
    """What a network is to be run on.

    Attributes:
        network: the network.
        rows: the stems wanted of it.
        samples: fp32, shape `(channels, samples)`, anywhere.
        exact: whether it is run in fp32, whatever the precision is.
    """

    network: NetworkRunner
    rows: tuple[int, ...]
    samples: Tensor
    exact: bool = False

    @property
    def kind(self) -> tuple[object, ...]:
        """Windows of one kind can be run together."""
        return id(self.network), self.rows, self.samples.shape, self.exact


@dataclass(eq=False)
class _Ticket:
    """A window that waits, and then what became of it.

    Attributes:
        window: that.
        samples: those of the window, on the device.
        ready: when they are there.
        made: the estimate, or the error that came of the window's batch.
        done: when the estimate is there.
        finite: in fp16, of the whole batch: whether all samples of a window are numbers.
        place: the window's place in the batch.
        settled: whether nobody waits for it any more.
    """

    window: Window
    samples: Tensor
    ready: torch.cuda.Event | None = None
    made: Tensor | BaseException | None = None
    done: torch.cuda.Event | None = None
    finite: Tensor | None = None
    place: int = 0
    settled: bool = False


class Batcher:
    """Runs the windows of all threads that separate songs, in batches that fit.

    There is no thread of its own: whichever needs a result first runs the batch that it is in,
    together with what others have waiting. On CUDA everything runs on one stream, and the host
    stays a full batch ahead of the device.

    Attributes:
        size: windows run at once. Halved for good whenever the device runs out of memory.
    """

    def __init__(self, how: Arithmetic, size: int | None) -> None:
        self.size = size or _default_size(how.device)
        self._how = how
        self._waiting: deque[_Ticket] = deque()
        self._made: list[_Ticket] = []
        self._counting = Lock()
        self._running = Lock()
        self._networks: WeakSet[NetworkRunner] = WeakSet()
        self._stream = stream_for(how.device, "networks") if how.device.type == "cuda" else None

    def estimates(self, windows: Iterable[Window]) -> Iterator[Tensor]:
        """What the networks make of `windows`, in their order.

        Windows are taken some way ahead of the results. Any number of threads may call this.

        Yields:
            fp32 on the device, shape `(rows, channels, samples)`.

        Raises:
            OutOfMemory: one window alone does not fit.
        """
        tickets: deque[_Ticket] = deque()
        try:
            for window in windows:
                tickets.append(self._submit(window))
                if len(tickets) > (self.size - 1 if self._stream is None else 2 * self.size):
                    yield self._result(tickets[0], more=True)
                    tickets.popleft()
            while tickets:
                yield self._result(tickets[0], more=False)
                tickets.popleft()
        finally:
            # No lock: an abandoned generator may end wherever memory is tidied up.
            for ticket in tickets:
                ticket.settled = True

    def _submit(self, window: Window) -> _Ticket:
        ticket = _Ticket(window, upload(window.samples, self._how.device))
        if self._stream is not None:
            ticket.ready = torch.cuda.current_stream(self._how.device).record_event()
        with self._counting:
            self._networks.add(window.network)
            self._waiting.append(ticket)
        return ticket

    def _result(self, ticket: _Ticket, *, more: bool) -> Tensor:
        while ticket.made is None or self._device_may_idle(more):
            with self._running:
                if ticket.made is None or self._device_may_idle(more):
                    self._run_next()
        ticket.settled = True
        made, ticket.made = ticket.made, None  # or its whole batch would stay until the next
        if isinstance(made, BaseException):
            raise made
        if ticket.done is not None:
            stream = torch.cuda.current_stream(self._how.device)
            stream.wait_event(ticket.done)
            made.record_stream(stream)
        if ticket.finite is not None and not ticket.finite[ticket.place]:
            return self._again(ticket)
        return made

    def _device_may_idle(self, more: bool) -> bool:
        """Whether the batch that runs is the last, though another could follow.

        Where `more` windows are to come, only a full one.
        """
        if self._stream is None:
            return False
        with self._counting:
            self._tidy()
            return len(self._made) <= self.size and len(self._waiting) >= (self.size if more else 1)

    def _tidy(self) -> None:
        self._made = [ticket for ticket in self._made if not ticket.settled]
        self._waiting = deque(ticket for ticket in self._waiting if not ticket.settled)

    def _again(self, ticket: _Ticket) -> Tensor:
        """In fp32, what was no number in fp16."""
        exact = replace(ticket.window, samples=ticket.samples, exact=True)
        [estimate] = self.estimates([exact])
        return estimate

    def _run_next(self) -> None:
        """Run the oldest window that waits, with others of its kind."""
        with self._counting:
            self._tidy()
            kind = self._waiting[0].window.kind if self._waiting else None
            batch = [one for one in self._waiting if one.window.kind == kind][: self.size]
            for ticket in batch:
                self._waiting.remove(ticket)
        if not batch:
            return
        try:
            self._run(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                self._settle(batch, error)
                return
        except BaseException as error:
            # Others wait for their part of the batch, and must not wait for ever.
            self._settle(batch, error)
            raise
        else:
            return
        # Only now is the error gone, and with it what its frames held on the device.
        self._make_do(batch)

    def _make_do(self, batch: list[_Ticket]) -> None:
        """Put a batch back that did not fit, to be run in smaller ones."""
        device = self._how.device
        if self.size == 1:
            error = OutOfMemory(f"{device} has too little memory for one segment at a time")
            self._settle(batch, error)
            return
        record_out_of_memory()
        self.size = max(1, min(self.size, len(batch)) // 2)
        for network in list(self._networks):  # also those that ran long ago in larger batches
            network.forget()
        release_memory(device)
        with self._counting:
            self._waiting.extendleft(reversed(batch))

    def _run(self, batch: list[_Ticket]) -> None:
        with torch.cuda.stream(self._stream):
            for ticket in batch:
                if self._stream is not None and ticket.ready is not None:
                    self._stream.wait_event(ticket.ready)
                    ticket.samples.record_stream(self._stream)
            window = batch[0].window
            samples = torch.stack([ticket.samples for ticket in batch])
            if window.network.records(exact=window.exact):
                samples = self._padded(samples)
            estimates = window.network.run(samples, window.rows, exact=window.exact)
            finite = None
            if self._how.precision == "fp16" and not window.exact:
                finite = estimates.isfinite().flatten(1).all(1)
            done = None if self._stream is None else self._stream.record_event()
        for place, ticket in enumerate(batch):
            ticket.done, ticket.finite, ticket.place = done, finite, place
        self._settle(batch, estimates)

    def _settle(self, batch: list[_Ticket], made: Tensor | BaseException) -> None:
        with self._counting:
            self._made += batch
            for ticket in batch:
                ticket.made = made if isinstance(made, BaseException) else made[ticket.place]

    @property
    def sizes(self) -> list[int]:
        """The sizes of batches that are run, where those are fixed: the largest first.

        Each is recorded apart. Compiling takes so long that only one size is worth it.
        """
        if self._how.compiled or not self._how.captures:
            return [self.size]
        return [self.size >> halvings for halvings in range(self.size.bit_length())]

    def _padded(self, samples: Tensor) -> Tensor:
        """With windows of silence, up to a size that is recorded."""
        size = min(size for size in self.sizes if size >= len(samples))
        return F.pad(samples, (0, 0, 0, 0, 0, size - len(samples)))


def _default_size(device: torch.device) -> int:
    """One window at a time on a CPU, where more is slower; what memory holds on CUDA."""
    if device.type != "cuda":
        return 1
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_CUDA_MAX_BATCH, free_bytes // _CUDA_BYTES_PER_WINDOW))
