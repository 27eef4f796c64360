"""Settings of the caches on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from mashup_worker.settings.environment import EnvironmentSettings, from_environment, variable_of

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def _caches() -> Path:
    """Return `mashup-worker` in the user's cache folder, by the XDG base directory rules."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "mashup-worker"


class Settings(EnvironmentSettings):
    """Settings of the model cache and the song cache.

    Attributes:
        model_cache: folder with one folder of weights per model.
        model_mirror: folder or https address that replaces the public sources of weights; plain
            http is allowed for this machine only.
        song_cache: folder of stems and analyses of songs that were mixed; may be deleted at any
            time.
        offline: forbid network access.
    """

    model_cache: Path = Field(default_factory=lambda: _caches() / "models")
    model_mirror: str | None = None
    song_cache: Path = Field(default_factory=lambda: _caches() / "songs")
    offline: bool = False

    @field_validator("model_cache", "song_cache")
    @classmethod
    def _absolute(cls, folder: Path, info: ValidationInfo) -> Path:
        try:
            return folder.expanduser().absolute()
        except RuntimeError as error:
            variable = variable_of(info.field_name or "")
            raise ValueError(f"{error}; set {variable} to a folder") from error

    @field_validator("model_mirror")
    @classmethod
    def _folder_or_https(cls, mirror: str | None) -> str | None:
        if mirror is None or "://" not in mirror:
            return mirror
        address = urlsplit(mirror)
        if address.scheme == "https" or (
            address.scheme == "http" and address.hostname in LOOPBACK_HOSTS
        ):
            return mirror
        raise ValueError(f"{mirror}: not allowed; use a folder or an https address")


def load_settings() -> Settings:
    """Return the settings in the environment.

    Raises:
        InvalidInput: a variable has an invalid value; the message names the variable.
    """
    return from_environment(Settings)
