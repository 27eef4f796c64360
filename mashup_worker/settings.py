"""Settings of a run, read once from the environment by the command line and passed down."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mashup_worker.errors import InvalidInput

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def default_model_cache() -> Path:
    """`mashup-worker/models` in the user's cache folder, by the XDG base directory rules."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches) / "mashup-worker" / "models"


def default_song_cache() -> Path:
    """`mashup-worker/songs` there."""
    return default_model_cache().with_name("songs")


class Settings(BaseSettings):
    """What the environment says; frozen.

    Attributes:
        model_cache: folder that holds one folder of weights a model (`MASHUP_MODEL_CACHE`).
        model_mirror: folder or https address that replaces the public sources of weights
            (`MASHUP_MODEL_MIRROR`); plain http is taken from the machine itself only.
        song_cache: folder of stems and analyses of songs that were mixed (`MASHUP_SONG_CACHE`); may
            be removed at any time.
        offline: never touch the network (`MASHUP_OFFLINE=1`).
    """

    model_config = SettingsConfigDict(
        env_prefix="MASHUP_",
        env_ignore_empty=True,
        frozen=True,
        validate_default=True,
        protected_namespaces=(),
    )

    model_cache: Path = Field(default_factory=default_model_cache)
    model_mirror: str | None = None
    song_cache: Path = Field(default_factory=default_song_cache)
    offline: bool = False

    @field_validator("model_cache", "song_cache")
    @classmethod
    def _absolute(cls, folder: Path, info: ValidationInfo) -> Path:
        try:
            return folder.expanduser().absolute()
        except RuntimeError as error:
            variable = f"MASHUP_{info.field_name}".upper()
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
        raise ValueError(f"{mirror} is neither a folder nor an https address")


def load_settings() -> Settings:
    """The settings of this run.

    Raises:
        InvalidInput: a variable's value can't be used; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "MASHUP_" + str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{name}: {reason}") from error
