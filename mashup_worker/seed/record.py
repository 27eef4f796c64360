"""What is kept of a song that was made, as its `song.json` and its line of the catalogue say it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mashup_worker import __version__
from mashup_worker.vocabulary import FormatName  # noqa: TC001  (pydantic reads annotations)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SeedSettings(_Kept):
    """What decides about a result beside the song.

    Attributes:
        model: the network.
        stems: kinds, all of the model's where empty.
        format: of the stems.
        release: of this program; another one may give other results.
    """

    model: str
    stems: tuple[str, ...] = ()
    format: FormatName = "flac"
    release: str = ".".join(__version__.split(".")[:2])

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that tell these settings from others."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class SeedSource(_Kept):
    """Where a song was found.

    Attributes:
        name: a path, or `s3://bucket/key`.
        bytes: its size.
        modified_at: when an object was written, in ISO 8601; None for files, which are always read.
    """

    name: str
    bytes: int
    modified_at: str | None = None


class SeedStem(_Kept):
    """A stem; keys are relative to the destination."""

    kind: str
    key: str
    format: FormatName
    bytes: int
    sha256: str
    duration_s: float
    loudness_lufs: float | None
    peaks_key: str


class SeedRecord(_Kept):
    """A song that was made.

    Attributes:
        sha256: digest of the song's own bytes.
        title: from the name of its first source.
        sources: where it was found, each place once.
        settings: how it was made.
        duration_s: of the song.
        stems: its stems.
        analysis: what is known of it.
        model: the network, with device and precision.
        timings_s: seconds of each stage.
        made_at: when, in UTC and ISO 8601.
    """

    sha256: str
    title: str
    sources: tuple[SeedSource, ...]
    settings: SeedSettings
    duration_s: float
    stems: tuple[SeedStem, ...]
    analysis: dict[str, Any]
    model: dict[str, str]
    timings_s: dict[str, float]
    made_at: str

    @property
    def folder(self) -> str:
        """Where its objects lie, without a slash at the end."""
        return folder_of(self.sha256, self.settings)

    def found_at(self, source: SeedSource) -> SeedRecord:
        """The same, found at this place too."""
        others = tuple(one for one in self.sources if one.name != source.name)
        return self.model_copy(update={"sources": (*others, source)})

    def line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def of_line(cls, text: str | bytes) -> SeedRecord | None:
        """The record of a line; None where it is none, or one of a later program."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None


def folder_of(sha256: str, settings: SeedSettings) -> str:
    """Where the objects of a song lie: by its content, and by how they were made."""
    return f"songs/{sha256}/{settings.digest}"
