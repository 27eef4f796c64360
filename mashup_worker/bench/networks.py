"""Demucs networks of full size with random weights.

Speed, memory and numerical agreement do not depend on the trained weights, so these replace weights
that cannot be fetched.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
from demucs.demucs import Demucs
from demucs.htdemucs import HTDemucs

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ["drums", "bass", "other", "vocals"]


def random_htdemucs() -> HTDemucs:
    """Return a network with the published shape of htdemucs, 42 million parameters."""
    torch.manual_seed(0)
    network: HTDemucs = HTDemucs(
        SOURCES,
        channels=48,
        bottom_channels=512,
        dconv_mode=3,
        t_layers=5,
        t_heads=8,
        segment=Fraction(39, 5),
    )
    network.eval()
    return network


def small_demucs() -> Demucs:
    """Return a network so small that other memory dominates."""
    torch.manual_seed(0)
    network: Demucs = Demucs(SOURCES, channels=4, depth=4, dconv_comp=2, segment=8)
    network.eval()
    return network


def save_repository(folder: Path, network: Demucs | HTDemucs, name: str = "random") -> None:
    """Save the network in a repository under a name."""
    args, kwargs = cast("Any", network)._init_args_kwargs
    package = {"klass": type(network), "args": args, "kwargs": kwargs}
    torch.save(package | {"state": network.state_dict()}, folder / f"{name}.th")
