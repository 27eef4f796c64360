"""Records of seed tracks, as stored in `song.json` and as lines of the catalog."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mashup_worker import __version__
from mashup_worker.vocabulary import ExportName, FormatName  # noqa: TC001  (pydantic reads annotations)


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SeedSettings(_Stored):
    """Settings that determine the results for a song.

    Attributes:
        model: name of the model.
        stems: kinds of stems; empty for all of the model.
        format: format of the stems.
        weights_sha256: digest of weights that the name of the model does not identify.
        analysis: version of the analyses; None for those without sections and singing.
        export: formats for DJ programs and DAWs; None without them.
        sum_exact: True if the samples of all stems add up to those of the song; None otherwise.
        release: release of this program, because another may give other results.
    """

    model: str
    stems: tuple[str, ...] = ()
    format: FormatName = "flac"
    weights_sha256: str | None = None
    export: tuple[ExportName, ...] | None = None
    sum_exact: bool | None = None
    analysis: str | None = None
    release: str = ".".join(__version__.split(".")[:2])

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that identify these settings."""
        text = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class SeedSource(_Stored):
    """Location of a song.

    Attributes:
        name: path, or `s3://bucket/key`.
        bytes: size in bytes.
        modified_at: time at which an object was written, in ISO 8601; None for files, which are
            always read.
    """

    name: str
    bytes: int
    modified_at: str | None = None


class SeedStem(_Stored):
    """Stem of a seed track; keys are relative to the destination."""

    kind: str
    key: str
    format: FormatName
    bytes: int
    sha256: str
    duration_s: float
    loudness_lufs: float | None
    peaks_key: str


class SeedRecord(_Stored):
    """Seed track.

    Attributes:
        sha256: digest of the song's file.
        title: title from the name of the first source.
        sources: locations of the file, each once.
        model: name, device, precision and license of the model.
        timings_s: seconds per stage.
        made_at: time of the processing, in UTC and ISO 8601.
        exports: keys of the files for DJ programs and DAWs, by format.
    """

    sha256: str
    title: str
    sources: Annotated[tuple[SeedSource, ...], Field(min_length=1)]
    settings: SeedSettings
    duration_s: float
    stems: tuple[SeedStem, ...]
    analysis: dict[str, Any]
    model: dict[str, Any]
    timings_s: dict[str, float]
    made_at: str
    exports: dict[str, str] = {}

    @property
    def folder(self) -> str:
        """Prefix of the song's objects, without a slash at the end."""
        return song_folder(self.sha256, self.settings)

    def with_source(self, source: SeedSource) -> SeedRecord:
        """Return the record with one more source."""
        others = tuple(one for one in self.sources if one.name != source.name)
        return self.model_copy(update={"sources": (*others, source)})

    def to_line(self) -> str:
        """Return the record as a line of JSON, without a line feed."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_line(cls, text: str | bytes) -> SeedRecord | None:
        """Parse a line of JSON; return None if this release cannot read it."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None


def song_folder(sha256: str, settings: SeedSettings) -> str:
    """Return the prefix of a song's objects, which depends on its content and the settings."""
    return f"songs/{sha256}/{settings.digest}"
