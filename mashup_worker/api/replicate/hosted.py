"""Input and output of the hosted Demucs models that this service stands in for.

Each hosted model has its own keys, defaults and form of output, and so has its class of inputs.
Options without a counterpart here change the result little or not at all, so they are accepted;
`notes` names them for the log of the prediction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVED_MODELS = (
    *("htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"),
    *("mdx_extra", "mdx", "scnet", "scnet_large", "kim_vocals"),
    *("kim_htdemucs", "kim_scnet_large", "lite"),
)
"""Names of the catalogue."""

SIX_KINDS = ("vocals", "bass", "drums", "guitar", "piano", "other")
"""Keys of the output of `cjwbw/demucs`."""

_QUANTIZED = {"mdx_q": "mdx", "mdx_extra_q": "mdx_extra"}
"""Quantized models, and the same networks as they were before."""

_FOUR_STEMS = ("vocals", "drums", "bass", "other")
_SIX_STEM_MODEL = "htdemucs_6s"
_STEMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(SERVED_MODELS, _FOUR_STEMS),
    _SIX_STEM_MODEL: SIX_KINDS,
    "kim_vocals": ("vocals", "other"),
}
"""Stems of the models of the catalogue."""

_SHIFTS, _OVERLAP = 1, 0.25

OutputFormat = Literal["mp3", "flac", "wav"]
Stem = Literal["drums", "bass", "other", "vocals", "guitar", "piano"]

ModelName = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
Shifts = Annotated[int, Field(ge=0, le=20, description="Accepted; the song is separated once.")]
Overlap = Annotated[float, Field(ge=0, lt=1, description="Accepted; windows overlap by a quarter.")]
Bitrate = Annotated[
    int, Field(ge=1, le=1_000, description="Bitrate of MP3 in kbit/s; the nearest of MP3's rates.")
]


class HostedInput(BaseModel, ABC):
    """Input of a hosted model, without the song."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    model_key: ClassVar[str]
    hosted_models: ClassVar[tuple[str, ...]]

    output_format: OutputFormat = "mp3"
    mp3_bitrate: Bitrate = 320
    shifts: Shifts = _SHIFTS
    overlap: Overlap = _OVERLAP

    @property
    @abstractmethod
    def model_name(self) -> str | None:
        """Name of the model as the caller gave it; None for the service's."""

    @property
    @abstractmethod
    def one_stem(self) -> Stem | None:
        """Stem to isolate; None for all stems."""

    @property
    @abstractmethod
    def bit_depth(self) -> int:
        """Bits of each sample of a lossless format."""

    @abstractmethod
    def output(self, links: Mapping[str, str]) -> dict[str, str | None]:
        """Return the output of the hosted model from links to stems by kind."""

    @abstractmethod
    def other_notes(self) -> Iterator[str]:
        """Yield a note for each option of this model alone that has no effect."""

    @classmethod
    def models(cls, default: str) -> tuple[str, ...]:
        """Return the names that are accepted, where `default` is the service's model."""
        return tuple(dict.fromkeys((*cls.hosted_models, *SERVED_MODELS, default)))

    def separation(self, default: str) -> dict[str, Any]:
        """Return the keys of the job's input, where `default` is the service's model.

        Raises:
            InvalidInput: the model is unknown, or lacks the stem.
        """
        job: dict[str, Any] = {"format": self.output_format, "analyze": False}
        name = self.model_name
        if name is not None:
            if name not in self.models(default):
                names = ", ".join(self.models(default))
                raise InvalidInput(
                    f"input.{self.model_key}: {name}: no such model; use one of {names}"
                )
            job["model"] = _QUANTIZED.get(name, name)
        if self.one_stem is not None:
            self._check_stem(self.one_stem, job.get("model", default))
            job["stems"] = [self.one_stem, f"{COMPLEMENT_PREFIX}{self.one_stem}"]
        if FORMATS[self.output_format].lossless:
            job["bit_depth"] = self.bit_depth
        else:
            job["bitrate_kbps"] = self._bitrate_kbps
        return job

    def _check_stem(self, stem: Stem, model: str) -> None:
        stems = _STEMS.get(model)
        if stems is not None and stem not in stems:
            raise InvalidInput(
                f"input.stem: {model} has no {stem}; use one of {', '.join(stems)}, or the model "
                f"{_SIX_STEM_MODEL}"
            )

    @property
    def _bitrate_kbps(self) -> int:
        rates = FORMATS["mp3"].bitrates_kbps
        return min(rates, key=lambda rate: abs(rate - self.mp3_bitrate))

    def notes(self) -> tuple[str, ...]:
        """Return a line for each option that has another effect than in the hosted model."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        model = self.model_name
        if model in _QUANTIZED:
            yield f"{self.model_key}: {model}: separated with {_QUANTIZED[model]}, not quantized"
        if self.shifts != _SHIFTS:
            yield f"shifts: {self.shifts}: no effect, the song is separated once"
        if self.overlap != _OVERLAP:
            yield f"overlap: {self.overlap:g}: no effect, windows overlap by {_OVERLAP:g}"
        if self.output_format == "mp3" and self._bitrate_kbps != self.mp3_bitrate:
            rate = self._bitrate_kbps
            yield f"mp3_bitrate: {self.mp3_bitrate}: not a rate of MP3; {rate} is used"
        yield from self.other_notes()


def _clip_note(clip_mode: str) -> str:
    return f"clip_mode: {clip_mode}: no effect, all stems are scaled by one gain where one clips"


class RyanInput(HostedInput):
    """Input of `ryan5453/demucs`, whose output has the stems that exist."""

    model_key = "model"
    hosted_models = (
        *("htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"),
        *("mdx_q", "mdx_extra_q"),
    )

    model: ModelName | None = None
    stem: Literal["drums", "bass", "other", "vocals", "guitar", "piano", "none"] = "none"
    mp3_preset: Annotated[
        int, Field(ge=2, le=7, description="Accepted; MP3 is encoded at one quality.")
    ] = 2
    wav_format: Literal["int16", "int24", "float32"] = "int24"
    clip_mode: Literal["rescale", "clamp", "none"] = "rescale"
    split: Annotated[bool, Field(description="Accepted; songs are separated in segments.")] = True
    segment: Annotated[
        int | None,
        Field(ge=1, le=10_000, description="Accepted; the model decides the length of segments."),
    ] = None
    jobs: Annotated[int, Field(ge=0, le=10_000, description="Accepted; has no effect.")] = 0

    @property
    def model_name(self) -> str | None:
        """Name of the model as the caller gave it."""
        return self.model

    @property
    def one_stem(self) -> Stem | None:
        """Stem to isolate."""
        return None if self.stem == "none" else self.stem

    @property
    def bit_depth(self) -> int:
        """Bits of each sample; the hosted model gives FLAC 16 in place of float."""
        if self.wav_format == "float32":
            return 32 if self.output_format == "wav" else 16
        return 24 if self.wav_format == "int24" else 16

    def output(self, links: Mapping[str, str]) -> dict[str, str | None]:
        """Return the links as they are: `no_<stem>` is the rest of an isolated stem."""
        return dict(links)

    def other_notes(self) -> Iterator[str]:
        """Yield a note for each option that has no effect."""
        if self.output_format == "mp3" and self.mp3_preset != 2:
            yield f"mp3_preset: {self.mp3_preset}: no effect, MP3 is encoded at one quality"
        if self.clip_mode != "rescale" and not (
            self.output_format == "wav" and self.wav_format == "float32"
        ):
            yield _clip_note(self.clip_mode)
        if not self.split:
            yield "split: false: no effect, songs are separated in segments"
        if self.segment is not None:
            yield f"segment: {self.segment}: no effect, the model decides the length of segments"
        if self.jobs:
            yield f"jobs: {self.jobs}: no effect"


class CjwbwInput(HostedInput):
    """Input of `cjwbw/demucs`, whose output always has six keys."""

    model_key = "model_name"
    hosted_models = (
        *("htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"),
        *("mdx", "mdx_q", "mdx_extra", "mdx_extra_q"),
    )

    chosen_model: Annotated[ModelName | None, Field(alias="model_name")] = None
    stem: Stem | None = None
    clip_mode: Literal["rescale", "clamp"] = "rescale"
    float32: Annotated[bool, Field(description="Whether WAV has float samples.")] = False

    @property
    def model_name(self) -> str | None:
        """Name of the model as the caller gave it."""
        return self.chosen_model

    @property
    def one_stem(self) -> Stem | None:
        """Stem to isolate."""
        return self.stem

    @property
    def bit_depth(self) -> int:
        """Bits of each sample."""
        return 32 if self.float32 and self.output_format == "wav" else 24

    def output(self, links: Mapping[str, str]) -> dict[str, str | None]:
        """Return six links, null where a stem is absent.

        The rest of an isolated stem takes the place of `other`, even of `other` itself.
        """
        found: dict[str, str | None] = {kind: links.get(kind) for kind in SIX_KINDS}
        if self.stem is not None:
            found["other"] = links.get(f"{COMPLEMENT_PREFIX}{self.stem}")
        return found

    def other_notes(self) -> Iterator[str]:
        """Yield a note for each option that has no effect."""
        if self.clip_mode != "rescale" and not (self.float32 and self.output_format == "wav"):
            yield _clip_note(self.clip_mode)
