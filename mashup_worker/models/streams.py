"""CUDA streams of the process, and copies and waits that leave other songs alone."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

Purpose = Literal["networks", "recording", "downloads"]

_lock = Lock()
_streams: dict[tuple[torch.device, Purpose], torch.cuda.Stream] = {}


def stream_for(device: torch.device, purpose: Purpose) -> torch.cuda.Stream:
    """Return the stream of a CUDA device that work of one kind runs on.

    Each is made once. torch hands out 32 streams of a device in turn, so that streams made for
    every stem would soon be the one that networks run on.
    """
    if device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    with _lock:
        stream = _streams.get((device, purpose))
        if stream is None:
            stream = _streams[device, purpose] = torch.cuda.Stream(device)
        return stream


def upload(samples: Tensor, device: torch.device) -> Tensor:
    """Return `samples` on `device`; the host does not wait for the copy."""
    if device.type == "cuda" and not samples.is_cuda:
        return samples.pin_memory().to(device, non_blocking=True)
    return samples.to(device)


def download(samples: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """Copy `samples` to the host without waiting for it.

    Returns:
        The copy, and the event to wait for before it is read; None if it is there already.
    """
    if not samples.is_cuda:
        return samples.cpu(), None
    # On the stream of songs, the copy would hold up the kernels of others.
    stream = stream_for(samples.device, "downloads")
    stream.wait_stream(torch.cuda.current_stream(samples.device))
    host = torch.empty(samples.shape, dtype=samples.dtype, pin_memory=True)
    with torch.cuda.stream(stream):
        host.copy_(samples, non_blocking=True)
        arrived = _recorded(stream)
    samples.record_stream(stream)
    return host, arrived


def wait_for(device: torch.device) -> None:
    """Wait until a device has done the work that this thread has given it so far.

    Work that other threads add meanwhile is not waited for.
    """
    if device.type == "cuda":
        _recorded(torch.cuda.current_stream(device)).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def _recorded(stream: torch.cuda.Stream) -> torch.cuda.Event:
    """Return an event at the end of the stream's work, for which threads wait asleep."""
    event = torch.cuda.Event(blocking=True)  # others spin, and take a core from the encoders
    event.record(stream)
    return event
