"""Small Demucs networks with random weights, saved the way real checkpoints are."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
import yaml
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

SOURCES = ["drums", "bass", "other", "vocals"]

HTDEMUCS: dict[str, Any] = {
    "sources": SOURCES,
    "channels": 4,
    "dconv_comp": 2,
    "t_layers": 2,
    "t_heads": 4,
    "bottom_channels": 16,
    "segment": Fraction(39, 5),
}
SMALLEST: dict[str, Any] = HTDEMUCS | {
    "depth": 1,
    "t_layers": 0,
    "bottom_channels": 0,
    "dconv_mode": 0,
    "segment": Fraction(1, 10),
}
"""torch compiles it in a second."""
HDEMUCS: dict[str, Any] = {"sources": SOURCES, "channels": 4, "dconv_comp": 2, "segment": 4}
DEMUCS: dict[str, Any] = {"sources": SOURCES, "channels": 8, "depth": 4, "segment": 3}


def random_network(network: type[nn.Module], options: dict[str, Any], seed: int) -> nn.Module:
    """A network whose output depends strongly on its input."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = network(**options).eval()
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if name.endswith("scale"):  # residual branches start near zero: open them
                    parameter.fill_(0.3)
    return made


def _options(made: nn.Module) -> dict[str, Any]:
    _, options = cast("Any", made)._init_args_kwargs
    return dict(options)


def save_th(folder: Path, signature: str, made: nn.Module) -> str:
    """Save as `<signature>-<sha256 prefix>.th`; returns the file's name."""
    options = _options(made)
    package = {
        "klass": type(made),
        "args": (),
        "kwargs": options,
        "state": made.state_dict(),
        "training_args": {},
    }
    draft = folder / "draft"
    torch.save(package, draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:8]
    return draft.rename(folder / f"{signature}-{digest}.th").name


def save_safetensors(folder: Path, signature: str, made: nn.Module) -> str:
    """Save as `<signature>.safetensors`; returns the file's name."""
    options = _options(made)
    encoded = {
        key: {"_type": "fraction", "numerator": v.numerator, "denominator": v.denominator}
        if isinstance(v, Fraction)
        else v
        for key, v in options.items()
    }
    metadata = {
        "klass": f"{type(made).__module__}.{type(made).__qualname__}",
        "args": "[]",
        "kwargs": json.dumps(encoded),
    }
    path = folder / f"{signature}.safetensors"
    save_file({k: v.contiguous() for k, v in made.state_dict().items()}, path, metadata)
    return path.name


def save_bag(folder: Path, name: str, **definition: Any) -> None:
    """Save a bag's definition."""
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(definition))


def make_repository(folder: Path, shorter: int = 4) -> Path:
    """Save a bag of every kind of real models.

    Args:
        folder: an empty folder.
        shorter: divisor of the durations of the segments of real models.
    """

    def network(kind: type[nn.Module], options: dict[str, Any], seed: int) -> nn.Module:
        segment = Fraction(options["segment"], shorter)
        return random_network(kind, options | {"segment": segment}, seed)

    for index in range(4):
        save_th(folder, f"ht{index}", network(HTDemucs, HTDEMUCS, seed=index))
    save_safetensors(folder, "safe0", network(HTDemucs, HTDEMUCS, seed=0))
    save_th(folder, "hd0", network(HDemucs, HDEMUCS, seed=10))
    save_th(folder, "td0", network(Demucs, DEMUCS, seed=20))
    one_hot = [[float(row == column) for column in range(4)] for row in range(4)]
    mixed = [[1.0, 0.5, 0.0, 0.25], [0.0, 2.0, 1.0, 0.75]]
    save_bag(folder, "htdemucs", models=["ht0"])
    save_bag(folder, "htdemucs_safe", models=["safe0"])
    save_bag(folder, "htdemucs_ft", models=[f"ht{i}" for i in range(4)], weights=one_hot)
    save_bag(folder, "mixed", models=["ht0", "ht1"], weights=mixed)
    save_bag(folder, "hdemucs", models=["hd0"], segment=4 / shorter)
    save_bag(folder, "kinds", models=["ht0", "hd0", "td0"], segment=5 / shorter)
    return folder
