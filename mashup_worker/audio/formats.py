"""The formats that sound is written in, and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

Format = Literal["flac", "wav", "mp3", "ogg"]

_BIT_DEPTHS = {"flac": (16, 24), "wav": (16, 24, 32), "mp3": (16,), "ogg": (16,)}

MP3_BITRATES_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)

VORBIS_BITRATES_KBPS = range(64, 501)


@dataclass(frozen=True)
class EncodeOptions:
    """How sound is written.

    Attributes:
        format: `"flac"`, `"wav"`, `"mp3"` or `"ogg"` (Vorbis).
        bit_depth: 16 or 24, integer; 32, float, for WAV only. MP3 and Vorbis have no bit depth
            and take the default.
        bitrate_kbps: for MP3 constant, for Vorbis the nominal rate of a stereo stream at
            44.1 kHz; 256 when None. MP3 below 32 kHz takes at most 160, below 16 kHz at most 64.

    Raises:
        InvalidInput: a format, depth or bitrate that doesn't exist, or not together.
    """

    format: Format = "flac"
    bit_depth: int = 16
    bitrate_kbps: int | None = None

    def __post_init__(self) -> None:
        if self.format not in _BIT_DEPTHS:
            raise InvalidInput(f"format {self.format!r}: choose {_or(_BIT_DEPTHS)}")
        depths = _BIT_DEPTHS[self.format]
        if self.bit_depth not in depths:
            if len(depths) == 1:
                raise InvalidInput(f"{self.format} has no bit depth to choose")
            raise InvalidInput(
                f"bit depth {self.bit_depth} for {self.format}: choose {_or(depths)}"
            )
        if self.bitrate_kbps is None:
            return
        if self.format not in ("mp3", "ogg"):
            raise InvalidInput(f"{self.format} has no bitrate to choose; mp3 and ogg have")
        if self.format == "mp3" and self.bitrate_kbps not in MP3_BITRATES_KBPS:
            raise InvalidInput(
                f"bitrate {self.bitrate_kbps} for mp3: choose {_or(MP3_BITRATES_KBPS)}"
            )
        if self.format == "ogg" and self.bitrate_kbps not in VORBIS_BITRATES_KBPS:
            first, last = VORBIS_BITRATES_KBPS[0], VORBIS_BITRATES_KBPS[-1]
            raise InvalidInput(f"bitrate {self.bitrate_kbps} for ogg: choose {first} to {last}")

    @property
    def is_float(self) -> bool:
        """Whether samples beyond full scale survive."""
        return self.bit_depth == 32


def encode_options(
    path: Path, bit_depth: int | None = None, bitrate_kbps: int | None = None
) -> EncodeOptions:
    """Return the options of the format that the extension of `path` names.

    Args:
        path: file to write.
        bit_depth: as in `EncodeOptions`; the format's default when None.
        bitrate_kbps: as in `EncodeOptions`.

    Raises:
        InvalidInput: the extension names no format, or the format lacks the depth or bitrate.
    """
    extension = path.suffix.lower().removeprefix(".")
    for name, known in FORMATS.items():
        if name == extension:
            return EncodeOptions(name, bit_depth or known.bit_depths[0], bitrate_kbps)
    raise InvalidInput(f"{path}: unknown format; use a name with .{', .'.join(FORMATS)}")


def integer_peak_limit(options: EncodeOptions) -> float | None:
    """The greatest absolute sample that is written without clipping; None where any is.

    MP3 is encoded from 16-bit samples. Vorbis holds more than 1, but its decoders clip there.
    """
    if options.is_float:
        return None
    if options.format == "ogg":
        return 1.0
    return 1.0 - 2.0 ** (1 - options.bit_depth)


def _or(choices: object) -> str:
    *most, last = map(str, choices)  # type: ignore[call-overload]
    return f"{', '.join(most)} or {last}"
