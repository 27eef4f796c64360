"""What a GPU test may cost: host reads, blocking copies, synchronizations, algorithm searches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import pytest
import torch

from tests.fake_cuda.findings import FATAL, FOUND, Kind
from tests.fake_cuda.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator


class DeviceBudget:
    """Limits of one test, held on the fake device; on a GPU, torch holds those of host reads.

    Attributes:
        allowed: kinds of defects that the test expects to be found.
    """

    def __init__(self) -> None:
        self.allowed: frozenset[Kind] = frozenset()

    def allow(self, *kinds: Kind) -> None:
        """Let defects of these kinds pass in this test."""
        self.allowed |= set(kinds)

    @contextmanager
    def limit(self, **most: int) -> Iterator[None]:
        """Fail if the package causes more findings of a kind than given, as in `read=0, copy=0`."""
        kinds = tuple(kind for kind in get_args(Kind) if kind in most)
        if len(kinds) != len(most):
            raise ValueError(f"unknown kinds among {', '.join(most)}")
        if not is_fake():
            with _synchronizing_raises("read" in most and not any(most.values())):
                yield
            return
        before = FOUND.of(*kinds)
        yield
        caused = FOUND.of(*kinds)
        caused.subtract(before)
        for kind in kinds:
            ours = {
                one: n for one, n in caused.items() if one.kind == kind and one.place.in_package
            }
            if sum(ours.values()) > most[kind]:
                lines = [f"{n} times {one}" for one, n in ours.items() if n]
                pytest.fail("\n".join([f"more than {most[kind]} of kind {kind}:", *lines]))

    def check(self) -> None:
        """Fail if defects were found that are not allowed, and forget all findings."""
        found = FOUND.of(*(FATAL - self.allowed))
        FOUND.clear()
        if found:
            pytest.fail("\n".join(f"{n} times {one}" for one, n in found.items()), pytrace=False)


def is_fake() -> bool:
    """Whether torch's device is the fake one."""
    return torch.cuda.Stream is Stream


@contextmanager
def _synchronizing_raises(wanted: bool) -> Iterator[None]:
    """Let a GPU raise where an operator makes the host wait."""
    if wanted and torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if wanted and torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")
