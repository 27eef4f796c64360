"""Words that several rooms share: formats, stem kinds, transitions, job types, value ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_T = TypeVar("_T")

FormatName = Literal["flac", "wav", "mp3", "ogg"]
"""Names of the formats that results are written in; also their file extensions."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """Properties of an output format.

    Attributes:
        media_type: MIME type of its files.
        bit_depths: sample sizes to choose from, the default first; 32 is float. Lossy formats
            encode from their only one.
        bitrates_kbps: bitrates to choose from; empty for lossless formats.
        max_peak: greatest absolute sample that is played back without clipping; None where it
            follows from the bit depth.
        loudness_tolerance_lu: how far the loudness of a decoded file may lie from its target.
    """

    media_type: str
    bit_depths: tuple[int, ...]
    bitrates_kbps: Collection[int] = ()
    max_peak: float | None = None
    loudness_tolerance_lu: float = 0.08

    @property
    def lossless(self) -> bool:
        """Whether decoding returns the samples that were written."""
        return not self.bitrates_kbps


FORMATS: Mapping[FormatName, Format] = {
    "flac": Format(media_type="audio/flac", bit_depths=(16, 24)),
    "wav": Format(media_type="audio/wav", bit_depths=(16, 24, 32)),
    "mp3": Format(
        media_type="audio/mpeg",
        bit_depths=(16,),
        bitrates_kbps=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        loudness_tolerance_lu=0.3,
    ),
    "ogg": Format(
        media_type="audio/ogg",
        bit_depths=(16,),
        bitrates_kbps=range(64, 501),
        max_peak=1.0,  # Vorbis holds more, but its decoders clip there
        loudness_tolerance_lu=0.3,
    ),
}
"""Every output format by name."""

ExportName = Literal[
    "native-stem",
    "native-stem-alac",
    "dawproject",
    "stem-folder",
    "rekordbox",
    "m3u8",
    "wav",
    "click",
    "loops",
    "preview",
]
EXPORTS: tuple[ExportName, ...] = get_args(ExportName)
"""Names of the formats for programs of DJs and producers."""

StemKind = Literal["vocals", "drums", "bass", "other", "guitar", "piano"]
STEM_KINDS: tuple[StemKind, ...] = get_args(StemKind)
"""Kinds of stems that models separate, in the order in which they are shown."""

COMPLEMENT_PREFIX = "no_"
"""Prefix of a kind for the mix without that stem, such as `no_vocals`."""

STEM_SYNONYMS: Mapping[str, str] = dict.fromkeys(
    ("accompaniment", "instrumental"), f"{COMPLEMENT_PREFIX}vocals"
)
"""Kinds by the names that other separators give them."""


def stem_kind(name: str) -> str:
    """Return the kind of stem that a name in lower case means; unknown names stay as they are."""
    return STEM_SYNONYMS.get(name, name)


def by_stem_kind(named: Mapping[str, _T]) -> dict[str, _T]:
    """Return values by the kinds of stems that their names mean.

    Raises:
        ValueError: two names mean one kind.
    """
    kinds: dict[str, _T] = {}
    for name, value in named.items():
        kind = stem_kind(name)
        if kind in kinds:
            raise ValueError(f"{kind} is named twice; remove one of {', '.join(named)}")
        kinds[kind] = value
    return kinds


TransitionName = Literal["crossfade", "bass_swap", "filter_sweep", "cut"]
TRANSITIONS: tuple[TransitionName, ...] = get_args(TransitionName)
"""Ways from one song to the next."""

FormName = Literal["layer", "sequence", "medley"]
"""Forms of a mashup: vocals over other songs' instruments, or songs one after another."""

JobType = Literal["separate", "analyze", "mashup", "master"]
JOB_TYPES: tuple[JobType, ...] = get_args(JobType)
"""Values of `ai_jobs.job_type`."""


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


LOUDNESS_LUFS = Range(-36.0, -5.0)
"""Integrated loudness that a mashup or master may be asked for."""

DEFAULT_LOUDNESS_LUFS = -14.0
"""Integrated loudness of a master, where none is asked for."""

TRUE_PEAK_DBTP = Range(-9.0, 0.0)
"""True peak that a mashup or master may be asked for."""

DEFAULT_TRUE_PEAK_DBTP = -1.0
DEFAULT_MOST_LIMITING_DB = 15.0
"""Limiting of the highest peak at which a master is raised no further."""
"""Highest true peak of a result, where none is asked for."""

TEMPO_BPM = Range(30.0, 300.0)
"""Tempo that a song may be analyzed at, or a mashup may be asked for."""

MASHUP_LENGTH_S = Range(4.0, 1_200.0)
"""Duration that a mashup may be asked for."""
