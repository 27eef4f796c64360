"""Reference of SCNet: the network of the package `pymss-core`, and the masked variant on top of it.

The masked variant was compared once with those of the packages `msst` 0.1.0 and `unblend` 1.0.0,
which need other versions of torch or heavy packages.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from pymss_core.modules.scnet.scnet import SCNet
from torch import nn

from mashup_worker.models.scnet.convert import convert
from tests.networks import profile

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.scnet.network import SparseNetwork

STEMS = ("drums", "bass", "other", "vocals")

SEGMENT_SAMPLES = 22_050

TINY: dict[str, Any] = {
    "audio_channels": 2,
    "dims": [4, 8, 12],
    "nfft": 512,
    "hop_size": 128,
    "win_size": 512,
    "normalized": True,
    "band_SR": [0.175, 0.392, 0.433],
    "band_stride": [1, 4, 16],
    "band_kernel": [3, 4, 16],
    "conv_depths": [3, 2, 1],
    "compress": 4,
    "conv_kernel": 3,
    "num_dplayer": 4,
    "expand": 1,
}


class MaskedSCNet(SCNet):  # type: ignore[misc]  # the package has no types
    """The masked variant, which multiplies the spectrogram of the mix."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        channels = self.dims[0] * len(self.sources)
        size = self.stft_config["n_fft"]
        self.pos_embed_f = nn.Parameter(0.3 * torch.randn(1, self.dims[0], size // 2 + 1, 1))
        self.mask_layer = nn.Sequential(
            nn.Conv2d(channels, 64, 3, padding="same"),
            nn.GELU(),
            nn.Conv2d(64, channels, 1),
            nn.Tanh(),
        )
        self.stft_config["window"] = torch.hann_window(size)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, samples = x.shape
        hops = samples // self.hop_length + 1
        padded = nn.functional.pad(x, (0, (hops + 1 - hops % 2) * self.hop_length - samples))
        mixture = torch.stft(padded.flatten(0, 1), **self.stft_config, return_complex=True)
        parts = torch.view_as_real(mixture).permute(0, 3, 1, 2)
        x = parts.reshape(batch, -1, *mixture.shape[1:]) + self.pos_embed_f
        kept = []
        for encode in self.encoder:
            x, *rest = encode(x)
            kept.append(rest)
        x = self.separation_net(x)
        for fuse, up in self.decoder:
            skip, lengths, original_lengths = kept.pop()
            x = up(fuse(x, skip), lengths, original_lengths)
        masks = self.mask_layer(x).unflatten(1, (-1, channels, 2)).permute(0, 1, 2, 4, 5, 3)
        stems = torch.view_as_complex(masks.contiguous()) * mixture.unflatten(0, (batch, 1, -1))
        made = torch.istft(stems.flatten(0, 2), **self.stft_config)
        return made.view(*stems.shape[:3], -1)[..., :samples]


def reference(*, masked: bool = False, seed: int = 0, gain: float = 1, **parameters: Any) -> Any:
    """A network of random weights, every part of which changes its output.

    `gain` multiplies all matrices and kernels. Those of torch lower the level of a signal, and with
    it rounding errors; the root of 3 keeps it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = (MaskedSCNet if masked else SCNet)(**TINY | parameters).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.ndim == 1:  # biases, and scales and offsets of norms
                    parameter += 0.2 * torch.randn_like(parameter)
                else:
                    parameter *= gain
    return made


def separated(network: Any, windows: Tensor) -> Tensor:
    """Run the reference; torch warns that it has no window function."""
    with torch.no_grad(), warnings.catch_warnings(action="ignore", category=UserWarning):
        made: Tensor = network(windows)
        return made


def converted(
    network: Any, segment_samples: int = SEGMENT_SAMPLES, **parameters: Any
) -> SparseNetwork:
    """The network in the layout of this package."""
    given = {name: value for name, value in parameters.items() if name != "sources"}
    declared = profile(
        *network.sources, segment_samples=segment_samples, channels=network.audio_channels
    )
    return convert(network.state_dict(), TINY | given, declared)
