"""Names of audio files by their containers, and options of encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import FORMATS, FormatName

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFAULT_BITRATE_KBPS = 256

_LOSSLESS_INPUTS = (
    *("aif", "aifc", "aiff", "alac", "ape", "au", "bwf", "caf", "dsf", "rf64", "snd", "tta", "w64"),
    *("wave", "wv"),
)
_LOSSY_INPUTS = (
    *("3gp", "aac", "ac3", "amr", "asf", "dts", "ec3", "eac3", "m4a", "m4b", "m4r", "m4v", "mka"),
    *("mkv", "mov", "mp2", "mp4", "mpc", "mpga", "oga", "opus", "ra", "spx", "weba", "webm", "wma"),
)

LOSSY_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (*(name for name, one in FORMATS.items() if not one.lossless), *_LOSSY_INPUTS)
)
"""Suffixes of containers whose audio is usually coded with loss."""

AUDIO_SUFFIXES = LOSSY_SUFFIXES | {f".{ending}" for ending in (*FORMATS, *_LOSSLESS_INPUTS)}
"""Suffixes that name a container of audio which libsndfile or ffmpeg decodes, in lower case."""


def audio_suffix(name: str) -> str:
    """Return the suffix of a file name in lower case if it names a container, else an empty text.

    A name with dots alone before the suffix, such as `..mp3`, has none.
    """
    root, dot, ending = name.rpartition(".")
    suffix = f"{dot}{ending.lower()}"
    return suffix if root.strip(".") and suffix in AUDIO_SUFFIXES else ""


def without_audio_suffix(name: str) -> str:
    """Return a file name without the suffix that `audio_suffix` finds."""
    return name[: len(name) - len(audio_suffix(name))]


@dataclass(frozen=True)
class EncodeOptions:
    """Format, bit depth and bitrate of a file to write.

    Attributes:
        format: name of a format in `vocabulary.FORMATS`.
        bit_depth: 16 or 24 for integers, 32 for float (WAV only). Lossy formats accept only the
            default.
        bitrate_kbps: constant bitrate of MP3, or nominal bitrate of Vorbis for stereo at 44.1 kHz;
            `DEFAULT_BITRATE_KBPS` when None. LAME limits MP3 below 32 kHz to 160 and below 16 kHz
            to 64.

    Raises:
        InvalidInput: a value is unknown, or the format does not support it.
    """

    format: FormatName = "flac"
    bit_depth: int = 16
    bitrate_kbps: int | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InvalidInput(f"format {self.format!r}: unknown; choose {_any_of(FORMATS)}")
        rules = FORMATS[self.format]
        if self.bit_depth not in rules.bit_depths:
            remedy = f"choose {_any_of(rules.bit_depths)}" if rules.lossless else "leave it out"
            raise InvalidInput(
                f"bit depth {self.bit_depth}: unsupported by {self.format}; {remedy}"
            )
        if self.bitrate_kbps is not None and self.bitrate_kbps not in rules.bitrates_kbps:
            remedy = "leave it out" if rules.lossless else f"choose {_any_of(rules.bitrates_kbps)}"
            raise InvalidInput(
                f"bitrate {self.bitrate_kbps} kbit/s: unsupported by {self.format}; {remedy}"
            )

    @property
    def lossless(self) -> bool:
        """Whether decoding returns the samples that were written."""
        return FORMATS[self.format].lossless

    @property
    def is_float(self) -> bool:
        """Whether the file stores samples beyond full scale."""
        return self.bit_depth == 32

    @property
    def encodes_integers(self) -> bool:
        """Whether the encoder receives integers of `bit_depth` bits instead of float samples."""
        return not self.is_float and FORMATS[self.format].max_peak is None

    @property
    def max_peak(self) -> float | None:
        """Greatest absolute sample that is written without clipping; None for float files."""
        if self.is_float:
            return None
        return FORMATS[self.format].max_peak or 1.0 - 2.0 ** (1 - self.bit_depth)


def encode_options(
    path: Path, bit_depth: int | None = None, bitrate_kbps: int | None = None
) -> EncodeOptions:
    """Return the options for a file whose extension names its format.

    Args:
        path: file to write.
        bit_depth: as in `EncodeOptions`; the format's default when None.
        bitrate_kbps: as in `EncodeOptions`.

    Raises:
        InvalidInput: the extension names no format, or the format does not support a value.
    """
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        endings = _any_of(f".{known}" for known in FORMATS)
        raise InvalidInput(f"{path}: unknown audio format; choose a name that ends in {endings}")
    format_ = cast("FormatName", name)
    depth = FORMATS[format_].bit_depths[0] if bit_depth is None else bit_depth
    return EncodeOptions(format_, depth, bitrate_kbps)


def _any_of(choices: Iterable[object]) -> str:
    if isinstance(choices, range):
        return f"{choices[0]} to {choices[-1]}"
    *most, last = map(str, choices)
    return f"{', '.join(most)} or {last}" if most else last
