"""Small networks with random weights, saved as Music-Source-Separation-Training saves them.

Names and shapes are those of the package `msst` 0.1.0, compared once with its own networks.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import librosa
import torch
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

_ROFORMER: dict[str, Any] = {
    "dim": 8,
    "depth": 1,
    "stereo": True,
    "num_stems": 1,
    "heads": 2,
    "dim_head": 4,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "mask_estimator_depth": 2,
    "stft_n_fft": 256,
    "stft_hop_length": 64,
    "stft_win_length": 256,
    "mlp_expansion_factor": 2,
    "attn_dropout": 0.1,
    "flash_attn": True,
    "dim_freqs_in": 129,
}
_TWO_STEMS = {"instruments": ["vocals", "other"], "target_instrument": "vocals"}
_FOUR_STEMS = {"instruments": ["drums", "bass", "other", "vocals"], "target_instrument": None}

_AUDIO = {"sample_rate": 44_100, "num_channels": 2, "chunk_size": 8192}

BS_ROFORMER: dict[str, Any] = {
    "audio": _AUDIO,
    "model": _ROFORMER | {"freqs_per_bands": (40, 40, 49)},
    "training": _TWO_STEMS,
    "inference": {"num_overlap": 2, "batch_size": 1},
}
MEL_BAND_ROFORMER: dict[str, Any] = {
    "audio": _AUDIO,
    "model": _ROFORMER | {"num_bands": 12, "sample_rate": 44_100, "num_stems": 4},
    "training": _FOUR_STEMS,
    "inference": {"num_overlap": 4, "chunk_size": 4096},
}
SCNET: dict[str, Any] = {
    "audio": _AUDIO,
    "model": {
        "sources": _FOUR_STEMS["instruments"],
        "audio_channels": 2,
        "dims": [4, 4, 8],
        "nfft": 256,
        "hop_size": 64,
        "win_size": 256,
        "normalized": True,
        "band_SR": [0.2, 0.3, 0.5],
        "band_stride": [1, 2, 4],
        "band_kernel": [3, 2, 4],
        "conv_depths": [2, 1, 1],
        "compress": 2,
        "conv_kernel": 3,
        "num_dplayer": 2,
        "expand": 1,
    },
    "training": _FOUR_STEMS,
    "inference": {"num_overlap": 2, "normalize": True},
}
SCNET_MASKED: dict[str, Any] = SCNET | {"model_type": "scnet_masked"}

CONFIGS: Mapping[str, dict[str, Any]] = {
    "bs_roformer": BS_ROFORMER,
    "mel_band_roformer": MEL_BAND_ROFORMER,
    "scnet": SCNET,
    "scnet_masked": SCNET_MASKED,
}


def config_of(architecture: str, **changes: object) -> dict[str, Any]:
    """Return a copy of a configuration; `changes` are values by `section__key`."""
    config = copy.deepcopy(CONFIGS[architecture])
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            config.setdefault(section, {})[key] = value
        else:
            config[section] = value
    return config


def random_state(architecture: str, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights of the network of `CONFIGS[architecture]`."""
    generator = torch.Generator().manual_seed(seed)
    model = CONFIGS[architecture]["model"]
    shapes = _scnet(model, architecture) if "dims" in model else _roformer(model)
    return {
        name: 1 + 0.1 * torch.randn(shape, generator=generator)
        if name.endswith(("gamma", "norm.weight"))
        else 0.3 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }


class _Dumper(yaml.SafeDumper):
    """Writes tuples with the tag that trainers' configurations have."""


_Dumper.add_representer(
    tuple, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", value)
)


def save_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Save a configuration as trainers do."""
    path.write_text(yaml.dump(dict(config), Dumper=_Dumper))
    return path


def save_pair(folder: Path, name: str, architecture: str, seed: int = 0) -> tuple[Path, Path]:
    """Save `<name>.ckpt` and `<name>.yaml`; returns both."""
    checkpoint = folder / f"{name}.ckpt"
    torch.save({"state_dict": random_state(architecture, seed)}, checkpoint)
    return checkpoint, save_config(folder / f"{name}.yaml", CONFIGS[architecture])


def _roformer(model: Mapping[str, Any]) -> Shapes:
    dim, inner = model["dim"], model["heads"] * model["dim_head"]
    shapes: Shapes = {}
    if "num_bands" in model:
        mel = librosa.filters.mel(
            sr=model["sample_rate"], n_fft=model["stft_n_fft"], n_mels=model["num_bands"]
        )
        mel[0, 0] = mel[-1, -1] = 1
        widths = [4 * int((row > 0).sum()) for row in mel]
    else:
        widths = [4 * frequencies for frequencies in model["freqs_per_bands"]]
        shapes["final_norm.gamma"] = (dim,)
    for axis in (0, 1):
        prefix = f"layers.0.{axis}"
        attention, feed = f"{prefix}.layers.0.0", f"{prefix}.layers.0.1"
        shapes |= {
            f"{attention}.rotary_embed.freqs": (model["dim_head"] // 2,),
            f"{attention}.norm.gamma": (dim,),
            f"{attention}.to_qkv.weight": (3 * inner, dim),
            f"{attention}.to_gates.weight": (model["heads"], dim),
            f"{attention}.to_gates.bias": (model["heads"],),
            f"{attention}.to_out.0.weight": (dim, inner),
            f"{feed}.net.0.gamma": (dim,),
            f"{feed}.net.1.weight": (4 * dim, dim),
            f"{feed}.net.1.bias": (4 * dim,),
            f"{feed}.net.4.weight": (dim, 4 * dim),
            f"{feed}.net.4.bias": (dim,),
        }
        if "num_bands" in model:
            shapes[f"{prefix}.norm.gamma"] = (dim,)
    # Mel-Band RoFormer has one layer more than BS-RoFormer for the same parameter.
    layers = model["mask_estimator_depth"] - ("num_bands" not in model)
    hidden = [model["mlp_expansion_factor"] * dim] * layers
    for band, width in enumerate(widths):
        split = f"band_split.to_features.{band}"
        shapes |= {f"{split}.0.gamma": (width,), f"{split}.1.weight": (dim, width)}
        shapes[f"{split}.1.bias"] = (dim,)
        for stem in range(model["num_stems"]):
            mask = f"mask_estimators.{stem}.to_freqs.{band}.0"
            for layer, (before, after) in enumerate(pairwise((dim, *hidden, 2 * width))):
                shapes[f"{mask}.{2 * layer}.weight"] = (after, before)
                shapes[f"{mask}.{2 * layer}.bias"] = (after,)
    return shapes


def _scnet(model: Mapping[str, Any], architecture: str) -> Shapes:
    dims, stems = model["dims"], len(model["sources"])
    shapes: Shapes = {}
    for level, (before, after) in enumerate(pairwise(dims)):
        encoder, decoder = f"encoder.{level}", f"decoder.{len(dims) - 2 - level}"
        decoded = before * stems if level == 0 else before
        for band, kernel in enumerate(model["band_kernel"]):
            shapes |= {
                f"{encoder}.SDlayer.convs.{band}.weight": (after, before, kernel, 1),
                f"{encoder}.SDlayer.convs.{band}.bias": (after,),
                f"{decoder}.1.convtrs.{band}.weight": (after, decoded, kernel, 1),
                f"{decoder}.1.convtrs.{band}.bias": (decoded,),
            }
            shapes |= _residual_layers(f"{encoder}.conv_modules.{band}", band, after, model)
        shapes |= {
            f"{encoder}.globalconv.weight": (after, after, 3, 3),
            f"{encoder}.globalconv.bias": (after,),
            f"{decoder}.0.conv.weight": (2 * after, 2 * after, 3, 3),
            f"{decoder}.0.conv.bias": (2 * after,),
        }
    for index in range(model["num_dplayer"]):
        prefix = f"separation_net.dp_modules.{index}"
        shapes |= dict(_dual_path(prefix, dims[-1] * (1 + index % 2), model["expand"]))
    if architecture == "scnet_masked":
        deepest = 4 * stems * 4
        shapes |= {
            "pos_embed_f": (1, dims[0], model["nfft"] // 2 + 1, 1),
            "mask_layer.0.weight": (deepest, stems * dims[0], 3, 3),
            "mask_layer.0.bias": (deepest,),
            "mask_layer.2.weight": (stems * dims[0], deepest, 1, 1),
            "mask_layer.2.bias": (stems * dims[0],),
        }
    return shapes


def _residual_layers(prefix: str, band: int, channels: int, model: Mapping[str, Any]) -> Shapes:
    shapes: Shapes = {}
    narrow = channels // model["compress"]
    for layer in range(model["conv_depths"][band]):
        name = f"{prefix}.layers.{layer}"
        shapes |= {
            f"{name}.0.weight": (channels,),
            f"{name}.0.bias": (channels,),
            f"{name}.1.weight": (2 * narrow, channels, model["conv_kernel"]),
            f"{name}.1.bias": (2 * narrow,),
            f"{name}.3.weight": (narrow, 1, 3),
            f"{name}.3.bias": (narrow,),
            f"{name}.4.weight": (narrow,),
            f"{name}.4.bias": (narrow,),
            f"{name}.6.weight": (channels, narrow, 1),
            f"{name}.6.bias": (channels,),
        }
    return shapes


def _dual_path(prefix: str, width: int, expand: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden = width * expand
    for axis in (0, 1):
        for end in ("", "_reverse"):
            name = f"{prefix}.lstm_layers.{axis}"
            yield f"{name}.weight_ih_l0{end}", (4 * hidden, width)
            yield f"{name}.weight_hh_l0{end}", (4 * hidden, hidden)
            yield f"{name}.bias_ih_l0{end}", (4 * hidden,)
            yield f"{name}.bias_hh_l0{end}", (4 * hidden,)
        yield f"{prefix}.linear_layers.{axis}.weight", (width, 2 * hidden)
        yield f"{prefix}.linear_layers.{axis}.bias", (width,)
        yield f"{prefix}.norm_layers.{axis}.weight", (width,)
        yield f"{prefix}.norm_layers.{axis}.bias", (width,)
