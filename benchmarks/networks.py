"""Demucs networks of full size with random weights.

Speed, memory and numerical agreement do not depend on what a network has learnt, so these stand
in where real weights can't be fetched.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
import yaml
from demucs.htdemucs import HTDemucs

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ["drums", "bass", "other", "vocals"]


def random_htdemucs(seed: int, **changes: int) -> HTDemucs:
    """A network of htdemucs's published shape, 42 million parameters; `changes` make it smaller."""
    options: dict[str, Any] = {
        "sources": SOURCES,
        "channels": 48,
        "bottom_channels": 512,
        "t_layers": 5,
        "t_heads": 8,
        "dconv_mode": 3,
        "segment": Fraction(39, 5),
    }
    torch.manual_seed(seed)
    network: HTDemucs = HTDemucs(**(options | changes))
    network.eval()
    return network


def save_repository(folder: Path, members: int = 1, **changes: int) -> None:
    """A repository with the bag `random`; with several members each makes one stem."""
    for index in range(members):
        network = random_htdemucs(index, **changes)
        _, options = cast("Any", network)._init_args_kwargs
        package = {
            "klass": HTDemucs,
            "args": (),
            "kwargs": options,
            "state": network.state_dict(),
        }
        torch.save(package, folder / f"random{index}.th")
    bag: dict[str, object] = {"models": [f"random{index}" for index in range(members)]}
    if members > 1:
        bag["weights"] = torch.eye(members).tolist()
    (folder / "random.yaml").write_text(yaml.safe_dump(bag))
