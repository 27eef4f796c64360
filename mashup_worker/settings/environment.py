"""Models that pydantic fills from environment variables, and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

Loaded = TypeVar("Loaded")

_PREFIX = "MASHUP_"


class EnvironmentSettings(BaseSettings):
    """Frozen settings; `field` comes from `MASHUP_FIELD`, and an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        validate_default=True,
        protected_namespaces=(),
    )

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of the environment variables that this class reads."""
        return frozenset(
            str(field.validation_alias.choices[0])
            if isinstance(field.validation_alias, AliasChoices)
            else variable_of(name)
            for name, field in cls.model_fields.items()
        )


def shared_variable(name: str) -> AliasChoices:
    """Return the alias of a field whose variable other programs read too, without our prefix."""
    return AliasChoices(name, name.lower())


def variable_of(field: str) -> str:
    """Return the environment variable of a field; aliases are variables already."""
    return field if field.isupper() else f"{_PREFIX}{field.upper()}"


def from_environment(load: Callable[[], Loaded]) -> Loaded:
    """Return the settings that `load` builds.

    Raises:
        InvalidInput: a variable has an invalid value; the message names the variable.
    """
    try:
        return load()
    except SettingsError as error:  # its text quotes the field and the JSON parser
        field = str(error).partition('"')[2].partition('"')[0]
        raise InvalidInput(f"{variable_of(field)}: not JSON; quote lists and objects") from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{variable_of(str(first['loc'][0]))}: {reason}") from error
