"""Batches of windows from all songs in flight on one device."""

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

_CUDA_MAX_BATCH = 16


@dataclass(frozen=True, eq=False)
class Window:
    """Input of a network.

    Attributes:
        rows: stems to compute.
        samples: fp32, shape `(channels, samples)`, on any device.
        exact: whether to run in fp32 instead of the configured precision.
    """

    network: NetworkRunner
    rows: tuple[int, ...]
    samples: Tensor
    exact: bool = False

    @property
    def kind(self) -> tuple[object, ...]:
        """Key of windows that can share a batch."""
        return id(self.network), self.rows, self.samples.shape, self.exact


@dataclass(eq=False)
class _Ticket:
    """Submitted window and its result.

    Attributes:
        samples: its samples on the device.
        ready: event after the upload of the samples.
        result: the estimate, or the error of its batch.
        done: event after the estimate.
        finite: in fp16, whether all samples of each window of the batch are finite.
        place: index of the window in its batch.
        settled: whether its caller has taken the result or given up.
    """

    window: Window
    samples: Tensor
    ready: torch.cuda.Event | None = None
    result: Tensor | BaseException | None = None
    done: torch.cuda.Event | None = None
    finite: Tensor | None = None
    place: int = 0
    settled: bool = False


class Batcher:
    """Runner of windows from any number of threads, in batches that fit the device.

    The thread that needs a result first runs the batch that contains it, together with windows of
    other threads; the batcher has no thread. On CUDA all batches run on one stream, and the host
    stays one full batch ahead of the device.

    Attributes:
        size: windows per batch; halved permanently when the device runs out of memory.
    """

    def __init__(self, how: Arithmetic, size: int | None, window_bytes: int = 0) -> None:
        """Make batches of `size`, or of as many windows of `window_bytes` as fit the device."""
        self.size = size or _default_size(how.device, window_bytes)
        self._how = how
        self._waiting: deque[_Ticket] = deque()
        self._finished: list[_Ticket] = []
        self._queue_lock = Lock()
        self._run_lock = Lock()
        self._networks: WeakSet[NetworkRunner] = WeakSet()
        self._stream = stream_for(how.device, "networks") if how.device.type == "cuda" else None

    def estimates(self, windows: Iterable[Window]) -> Iterator[Tensor]:
        """Yield the outputs of the networks for `windows`, in order.

        Windows are submitted ahead of the results. Any number of threads may call this.

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
            # No lock: an abandoned generator may be closed at any garbage collection.
            for ticket in tickets:
                ticket.settled = True

    def _submit(self, window: Window) -> _Ticket:
        ticket = _Ticket(window, upload(window.samples, self._how.device))
        if self._stream is not None:
            ticket.ready = torch.cuda.current_stream(self._how.device).record_event()
        with self._queue_lock:
            self._networks.add(window.network)
            self._waiting.append(ticket)
        return ticket

    def _result(self, ticket: _Ticket, *, more: bool) -> Tensor:
        while ticket.result is None or self._device_may_idle(more):
            with self._run_lock:
                if ticket.result is None or self._device_may_idle(more):
                    self._run_next()
        ticket.settled = True
        made, ticket.result = ticket.result, None  # a reference would keep the whole batch alive
        if isinstance(made, BaseException):
            raise made
        if ticket.done is not None:
            stream = torch.cuda.current_stream(self._how.device)
            stream.wait_event(ticket.done)
            made.record_stream(stream)
        if ticket.finite is not None and not ticket.finite[ticket.place]:
            return self._run_exactly(ticket)
        return made

    def _device_may_idle(self, more: bool) -> bool:
        """Return whether another batch should be started to keep the device busy.

        If `more` windows will come, only a full batch is started.
        """
        if self._stream is None:
            return False
        with self._queue_lock:
            self._drop_settled()
            return len(self._finished) <= self.size and len(self._waiting) >= (
                self.size if more else 1
            )

    def _drop_settled(self) -> None:
        self._finished = [ticket for ticket in self._finished if not ticket.settled]
        self._waiting = deque(ticket for ticket in self._waiting if not ticket.settled)

    def _run_exactly(self, ticket: _Ticket) -> Tensor:
        """Return the result in fp32 of a window with non-finite samples in fp16."""
        exact = replace(ticket.window, samples=ticket.samples, exact=True)
        [estimate] = self.estimates([exact])
        return estimate

    def _run_next(self) -> None:
        """Run the oldest waiting window in a batch with others of its kind."""
        with self._queue_lock:
            self._drop_settled()
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
                self._resolve(batch, error)
                return
        except BaseException as error:
            # Other threads wait for their part of the batch.
            self._resolve(batch, error)
            raise
        else:
            return
        # The error is released here, and with it the tensors that its frames hold.
        self._split(batch)

    def _split(self, batch: list[_Ticket]) -> None:
        """Return a batch that did not fit to the queue, to be run in smaller batches."""
        device = self._how.device
        if self.size == 1:
            error = OutOfMemory(f"{device}: too little memory for one segment at a time")
            self._resolve(batch, error)
            return
        record_out_of_memory()
        ran = self._size_run(batch)
        self.size = max((size for size in self._halvings if size < ran), default=1)
        for network in list(self._networks):  # including those that last ran in larger batches
            network.forget()
        release_memory(device)
        with self._queue_lock:
            self._waiting.extendleft(reversed(batch))

    def _run(self, batch: list[_Ticket]) -> None:
        with torch.cuda.stream(self._stream):
            for ticket in batch:
                if self._stream is not None and ticket.ready is not None:
                    self._stream.wait_event(ticket.ready)
                    ticket.samples.record_stream(self._stream)
            window = batch[0].window
            samples = torch.stack([ticket.samples for ticket in batch])
            if silent := self._size_run(batch) - len(batch):
                samples = F.pad(samples, (0, 0, 0, 0, 0, silent))
            estimates = window.network.run(samples, window.rows, exact=window.exact)
            finite = None
            if self._how.precision == "fp16" and not window.exact:
                finite = estimates.isfinite().flatten(1).all(1)
            done = None if self._stream is None else self._stream.record_event()
        for place, ticket in enumerate(batch):
            ticket.done, ticket.finite, ticket.place = done, finite, place
        self._resolve(batch, estimates)

    def _resolve(self, batch: list[_Ticket], made: Tensor | BaseException) -> None:
        with self._queue_lock:
            self._finished += batch
            for ticket in batch:
                ticket.result = made if isinstance(made, BaseException) else made[ticket.place]

    @property
    def sizes(self) -> list[int]:
        """Batch sizes in use, the largest first.

        Each size is recorded separately. Compilation takes so long that only one size is compiled.
        """
        if self._how.compiled or not self._how.captures:
            return [self.size]
        return self._halvings

    @property
    def _halvings(self) -> list[int]:
        return [self.size >> halvings for halvings in range(self.size.bit_length())]

    def _size_run(self, batch: list[_Ticket]) -> int:
        """Return the size that a batch runs in: networks that are recorded run recorded sizes."""
        window = batch[0].window
        if not window.network.records(exact=window.exact):
            return len(batch)
        return min(size for size in self.sizes if size >= len(batch))


def _default_size(device: torch.device, window_bytes: int) -> int:
    """Return 1 on a CPU, where larger batches are slower, and what fits the memory on CUDA."""
    if device.type != "cuda":
        return 1
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_CUDA_MAX_BATCH, free_bytes // max(1, window_bytes)))
