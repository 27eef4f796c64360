"""A song that is given up leaves the GPU in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines import music, separate
from tests.gpu.networks import LEAST_DB, assert_near

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.models.engine import NetworkSeparator

pytestmark = pytest.mark.gpu


def test_windows_of_a_song_that_is_given_up_are_freed_after_their_use(
    warm: Callable[[str], NetworkSeparator], on_cpu: NetworkSeparator
) -> None:
    """Though they have been enqueued and no one waits for their results."""
    blocks = warm("fp32").stream(music(2.5))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    mix = music(0.4)
    assert_near(separate(warm("fp32"), mix), separate(on_cpu, mix), LEAST_DB["fp32"])
