"""Reference of BS-RoFormer and Mel-Band RoFormer: the networks of the package `pymss-core`.

In the packages `msst` 0.1.0 and `bs-roformer` 1.2.4, mask estimators of Mel-Band RoFormer have one
more layer than `mask_estimator_depth` says. `pymss-core` takes their number as `mlp_hidden_layers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pymss_core.modules.bs_roformer.bs_roformer import BSRoformer
from pymss_core.modules.bs_roformer.mel_band_roformer import MelBandRoformer

from mashup_worker.audio.signal import Audio
from mashup_worker.models.checkpoints.parameters import read_parameters
from mashup_worker.models.roformer.convert import convert
from tests.engines import RATE_HZ, music
from tests.networks import profile

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.roformer.network import RoformerNetwork

STEMS = ("drums", "bass", "other", "vocals")

SEGMENT_SAMPLES = 22_050

_COMMON: dict[str, Any] = {
    "dim": 32,
    "depth": 2,
    "stereo": True,
    "num_stems": 2,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "dim_head": 16,
    "heads": 2,
    "stft_n_fft": 512,
    "stft_hop_length": 128,
    "stft_win_length": 512,
    "mask_estimator_depth": 2,
}

TINY: dict[str, dict[str, Any]] = {
    "mel_band_roformer": _COMMON | {"num_bands": 20},
    "bs_roformer": _COMMON | {"freqs_per_bands": [2] * 16 + [8] * 8 + [32] * 5 + [1]},
}
"""Parameters of a small network of each architecture."""


def recording(duration_s: float, seed: int = 0) -> Audio:
    """Return music with the noise of a recording.

    Norms amplify the transform's rounding errors in bands without sound: there the reference in
    float32 is 50 dB from itself in float64.
    """
    clean = music(duration_s, seed).samples
    generator = torch.Generator().manual_seed(seed)
    return Audio(clean + 1e-3 * torch.randn(clean.shape, generator=generator), RATE_HZ)


def reference(architecture: str, **options: Any) -> Any:
    """Return a network of the package with random weights, gains and biases."""
    given = TINY[architecture] | options
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if architecture == "mel_band_roformer":
            hidden = given["mask_estimator_depth"]
            network = MelBandRoformer(
                **given, mlp_hidden_layers=hidden, match_input_audio_length=True
            )
        else:
            network = BSRoformer(**{"zero_dc": True} | given)
        for name, weights in network.named_parameters():
            if "gamma" in name:
                weights.data = 1 + 0.3 * torch.randn_like(weights)
            elif "bias" in name:
                weights.data = 0.3 * torch.randn_like(weights)
    return network.eval()


def separated(network: Any, windows: Tensor) -> Tensor:
    """Return all stems, `(batch, stems, channels, samples)`; the package drops an axis of one."""
    with torch.no_grad():
        made: Tensor = network(windows)
    return made if made.ndim == 4 else made[:, None]


def converted(
    architecture: str, network: Any, samples: int = SEGMENT_SAMPLES, **options: Any
) -> RoformerNetwork:
    """Return the network in this package's layout."""
    parameters = read_parameters(architecture, TINY[architecture] | options)
    made = profile(
        *STEMS[: parameters["num_stems"]],
        segment_samples=samples,
        channels=2 if parameters["stereo"] else 1,
    )
    return convert(network.state_dict(), parameters, made)
