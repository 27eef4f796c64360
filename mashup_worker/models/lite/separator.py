"""Preview model: spectrogram masks, computed tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.dsp.hpss import soft_mask
from mashup_worker.dsp.stft import OverlapAdd, frame_count, stft
from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import SPLEETER_LICENSE
from mashup_worker.models.device import (
    Precision,
    arithmetic,
    device_errors,
    resolve_device,
    resolve_precision,
)
from mashup_worker.models.fp32 import set_fp32
from mashup_worker.models.lite.split import SIZE_FRAMES, split_masks
from mashup_worker.models.lite.unet import BINS, FRAMES, UNet, unet_from_checkpoint
from mashup_worker.models.lite.weights import load_checkpoint
from mashup_worker.models.streams import upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.separator import OnShare

STEMS = ("drums", "bass", "other", "vocals")
RATE_HZ = 44_100

WINDOW_SAMPLES = 4096
HOP_SAMPLES = 1024

LEVEL = 0.2
"""RMS that tiles are scaled to: the networks were trained on mastered music."""

QUIETEST = 1e-3
"""RMS below which tiles are not amplified further."""

TOP_BINS = BINS // 4
"""Bins at the upper end of the network's band whose mean mask is used above it."""

CONTEXT = SIZE_FRAMES // 2
"""Frames of context on either side for the split."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LiteSeparator:
    """Preview model: fast and offline, of limited quality.

    Two U-Nets separate vocals from accompaniment, and median filters split the accompaniment (see
    `split`). The four stems add up to the mix. Implements `Separator`.
    """

    vocals_net: UNet
    accompaniment_net: UNet
    device: str
    precision: Precision

    name = "lite"
    license = SPLEETER_LICENSE
    weights_sha256 = None
    stems = STEMS
    sample_rate = RATE_HZ
    channels = 2
    residual_stem = "other"

    def warm_up(self) -> None:
        """See `Separator.warm_up`; its networks record nothing."""

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """Separate `mix` as `Separator.stream`, reading it once in order.

        Memory is bounded. Non-finite samples are replaced by zeros. The result does not depend on
        the positions of blocks.
        """
        wanted = STEMS if stems is None else tuple(stems)
        for stem in wanted:
            if stem not in STEMS:
                raise InvalidInput(f"{stem}: not a stem of lite; use one of {', '.join(STEMS)}")
        for block in self._blocks(mix, wanted, on_progress):
            yield block if on_device else block.cpu()

    def _blocks(
        self, mix: SampleSource, wanted: tuple[str, ...], on_progress: OnShare | None
    ) -> Iterator[Tensor]:
        device = torch.device(self.device)
        window = torch.hann_window(WINDOW_SAMPLES, device=device)
        overlap_add = OverlapAdd(window, HOP_SAMPLES)
        done, begin = 0, WINDOW_SAMPLES - HOP_SAMPLES
        with device_errors(device, "this model"):
            tiles = (self._vocals_and_rest(tile, window) for tile in _tiles(mix, device))
            for parts in _with_context(tiles):
                samples = overlap_add.push(_stem_spectra(parts, wanted))
                # Frame 0 begins before the song, and the last frame ends after it.
                block = samples[..., begin:][..., : mix.length_samples - done]
                begin = max(0, begin - samples.shape[-1])
                done += block.shape[-1]
                if on_progress is not None:
                    on_progress(done / mix.length_samples)
                yield block

    def _vocals_and_rest(self, samples: Tensor, window: Tensor) -> Tensor:
        """Return spectra of vocals and accompaniment, shape `(2, 2, frames, bins)`."""
        spectra = stft(samples, window, HOP_SAMPLES)
        level = samples.square().mean().sqrt().clamp(min=QUIETEST)
        frames = spectra.shape[1]
        magnitude = F.pad(spectra[..., :BINS].abs() * (LEVEL / level), (0, 0, 0, FRAMES - frames))
        with arithmetic(self.precision, spectra.device):
            vocals = self.vocals_net(magnitude[None])[0, :, :frames].float()
            rest = self.accompaniment_net(magnitude[None])[0, :, :frames].float()
        mask = soft_mask(vocals, rest)
        above = mask[..., -TOP_BINS:].mean(dim=-1, keepdim=True)
        mask = torch.cat([mask, above.expand(-1, -1, spectra.shape[2] - BINS)], dim=-1)
        vocal_spectra = spectra * mask
        return torch.stack([vocal_spectra, spectra - vocal_spectra])


def _tiles(mix: SampleSource, device: torch.device) -> Iterator[Tensor]:
    """Yield samples of `FRAMES` frames at a time, on the device.

    The last tile is shorter; zeros surround the song.

    Shape: `(2, (frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES)`.
    """
    overlap = WINDOW_SAMPLES - HOP_SAMPLES
    tail = torch.zeros(2, overlap, device=device)
    frames_left = frame_count(mix.length_samples, WINDOW_SAMPLES, HOP_SAMPLES)
    start = 0
    while frames_left > 0:
        frames = min(FRAMES, frames_left)
        stop = min(start + frames * HOP_SAMPLES, mix.length_samples)
        samples = upload(mix.read(start, stop).float(), device)
        samples = F.pad(samples.nan_to_num(0, 0, 0), (0, frames * HOP_SAMPLES - (stop - start)))
        samples = torch.cat([tail, samples], dim=1)
        yield samples
        tail = samples[:, -overlap:]
        start = stop
        frames_left -= frames


def _with_context(tiles: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield tiles of spectra with `CONTEXT` frames of their neighbors, or zeros at the ends.

    Shape: `(sources, channels, frames, bins)`. Without the context, the tiles concatenate to the
        song.
    """
    held: Tensor | None = None
    for tile in tiles:
        margin = tile.new_zeros(*tile.shape[:2], CONTEXT, tile.shape[3])
        held = torch.cat([margin if held is None else held, tile], dim=2)
        if held.shape[2] > 2 * CONTEXT:
            yield held
            held = held[:, :, -2 * CONTEXT :]
    if held is not None:
        yield torch.cat([held, margin], dim=2)


def _stem_spectra(parts: Tensor, wanted: tuple[str, ...]) -> Tensor:
    """Return the spectra of the requested stems.

    Shape: vocals and accompaniment with context, `(2, 2, context + frames + context, bins)`, to
    `(stems, 2, frames, bins)`.
    """
    vocals: Tensor = parts[0, :, CONTEXT:-CONTEXT]
    rest: Tensor = parts[1, :, CONTEXT:-CONTEXT]
    if wanted == ("vocals",):
        return vocals[None]
    bins = parts.shape[3]
    frequencies_hz = torch.arange(bins, device=parts.device) * (RATE_HZ / WINDOW_SAMPLES)
    shares = split_masks(parts[1].abs().mean(dim=0), frequencies_hz)
    return torch.stack([vocals if stem == "vocals" else rest * shares[stem] for stem in wanted])


def load_lite(device: str = "cpu", precision: str = "auto") -> LiteSeparator:
    """Load the preview model; see `resolve_device` and `resolve_precision`.

    Raises:
        DeviceUnavailable: the machine lacks the device.
        InvalidInput: the device or precision is invalid.
        ModelUnavailable: the weights are missing or have another digest.
    """
    place = resolve_device(device)
    arithmetic_used = resolve_precision(precision, place)
    if place.type == "cuda":
        set_fp32("tf32" if arithmetic_used == "tf32" else "ieee")
    vocals_net, accompaniment_net = (
        unet_from_checkpoint(load_checkpoint(source)).to(place)
        for source in ("vocals", "accompaniment")
    )
    return LiteSeparator(
        vocals_net=vocals_net,
        accompaniment_net=accompaniment_net,
        device=str(place),
        precision=arithmetic_used,
    )
