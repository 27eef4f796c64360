"""What a GPU test may cost, and which defects it expects."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import torch

from tests.fake_cuda.findings import DEFECTS, found
from tests.fake_cuda.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_cuda.findings import Kind


HOT_PATHS = tuple(
    f"mashup_worker/models/{name}"
    for name in (
        "graphs.py",
        "htdemucs/",
        "network.py",
        "roformer/",
        "scnet/",
        "segments.py",
        "streams.py",
    )
)
"""Code that runs for every window or stem, where host reads and blocking copies are defects."""


class DeviceBudget:
    """Defects that a test may cause on the fake device, and limits of costs; none on a GPU."""

    def __init__(self) -> None:
        self._allowed: set[Kind] = set()

    def allow(self, *kinds: Kind) -> None:
        """Let the test pass with defects of these kinds."""
        self._allowed |= set(kinds)

    @contextmanager
    def limit(self, **most: int) -> Iterator[None]:
        """Fail if lines of the package cause more costs of a kind, as in `read=0, copy=0`."""
        before = found(*most)
        yield
        for kind, limit in most.items():
            caused = found(kind) - before
            ours = {one: n for one, n in caused.items() if one.place.startswith("mashup_worker/")}
            if sum(ours.values()) > limit:
                pytest.fail("\n".join(f"{n} times {one}" for one, n in ours.items()))

    def check(self) -> None:
        """Fail if there are defects that are not allowed, or costs in hot paths."""
        costs = found("read", "copy").items()
        defects = found(*(DEFECTS - self._allowed))
        defects |= Counter({one: n for one, n in costs if one.place.startswith(HOT_PATHS)})
        if defects:
            pytest.fail("\n".join(f"{n} times {one}" for one, n in defects.items()), pytrace=False)


def is_fake() -> bool:
    """Whether torch's device is the fake one."""
    return torch.cuda.Stream.__module__ == Stream.__module__
