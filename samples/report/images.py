"""Waveforms as SVG paths and spectrograms as PNG images, small enough to embed in a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

WAVE_UNITS = 60
"""Half the height of a waveform's coordinate system, which corresponds to full scale."""

RANGE_DB = 66.0
"""Dynamic range of a spectrogram."""

SHADES = 64
"""Colors of a spectrogram, in steps of about 1 dB."""


def wave_path(low: Floats, high: Floats, full_scale: float) -> str:
    """Return SVG path data of the area between two curves `(columns,)`, one unit per column.

    `full_scale` is the value at the top; the whole height is 2 x `WAVE_UNITS`.
    """
    middle = WAVE_UNITS
    top = np.rint(middle - np.clip(high / full_scale, -1, 1) * middle).astype(int)
    bottom = np.rint(middle - np.clip(low / full_scale, -1, 1) * middle).astype(int)
    bottom = np.maximum(bottom, top + 1)  # draws silence as a thin line
    there = "h1".join(f"V{y}" for y in top)
    back = "h-1".join(f"V{y}" for y in bottom[::-1])
    return f"M0 {middle}{there}h1{back}h-1z"


def beat_path(times_s: Sequence[float], span_s: float, columns: int, length: int) -> str:
    """Return SVG path data of ticks of `length` units at the top and at the bottom.

    All columns span `span_s`. A length of `WAVE_UNITS` draws lines from top to bottom.
    """
    height = 2 * WAVE_UNITS
    places = (f"{columns * time_s / span_s:.2f}" for time_s in times_s if 0 <= time_s <= span_s)
    return "".join(f"M{x} 0v{length}M{x} {height}v-{length}" for x in places)


def spectrogram_levels(mel_power: Floats, loudest_power: float) -> Bytes:
    """Return the shade of each band and column, from `RANGE_DB` below `loudest_power` up to it."""
    floor = max(loudest_power, 1e-9) * 10 ** (-RANGE_DB / 10)
    level_db = 10 * np.log10(np.maximum(mel_power, floor) / floor)
    shades = np.rint(np.clip(level_db / RANGE_DB, 0, 1) * (SHADES - 1))
    return shades.astype(np.uint8)


def ramp(hue_deg: float, chroma: float, *, dark: bool) -> Bytes:
    """Return colors from a page's background to its opposite, with even steps of lightness.

    Computed in OKLCH (Björn Ottosson, "A perceptual color space for image processing", 2020), with
    a chroma of 0 for grays. Returns sRGB, shape `(SHADES, 3)`.
    """
    t = np.linspace(0, 1, SHADES)
    lightness = 0.185 + 0.785 * t if dark else 0.955 - 0.675 * t
    c = chroma * np.sin(np.pi * (t**0.8 if dark else t)) ** (0.8 if dark else 1.2)
    hue = np.deg2rad(hue_deg + (50 if dark else -30) * (t - 0.5))
    a, b = c * np.cos(hue), c * np.sin(hue)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_rgb = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = np.clip(np.array(to_rgb) @ lms**3, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    shades: Bytes = np.rint(srgb.T * 255).astype(np.uint8)
    return shades


def png(pixels: Bytes, palette: Bytes) -> bytes:
    """Return a PNG image of palette indices, shape `(rows, columns)`, top row first.

    The palette is sRGB, shape `(colors, 3)`; its first color is transparent.
    """
    height, width = pixels.shape
    image = Image.frombytes("P", (width, height), pixels.tobytes())
    image.putpalette(palette.tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True, transparency=0)
    return content.getvalue()
