"""Networks of random weights that stand for trained ones in measurements."""

from __future__ import annotations

import pytest

from mashup_worker.bench.networks import CONFIGURED, random_configured


@pytest.mark.parametrize("name", CONFIGURED)
def test_no_product_or_norm_of_a_random_network_is_idle(name: str) -> None:
    state = random_configured(name).state
    used = [name for name, one in state.items() if not name.rpartition(".")[2].startswith("bias")]
    assert used
    assert [name for name in used if not state[name].any()] == []
