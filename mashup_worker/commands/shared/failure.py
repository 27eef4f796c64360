"""Exit of commands on an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from mashup_worker.errors import EXIT_USAGE, InvalidInput
from mashup_worker.settings import load_settings

if TYPE_CHECKING:
    from mashup_worker.settings import ServiceSettings, Settings


def fail(message: str, exit_code: int) -> NoReturn:
    """Print one line on stderr and exit."""
    typer.echo(f"mashup: {message}", err=True)
    raise typer.Exit(exit_code)


def settings_or_fail() -> Settings:
    """Return the settings of the environment; an invalid variable is wrong usage."""
    try:
        return load_settings()
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)


def service_settings_or_fail() -> ServiceSettings:
    """Return the settings of the services; an invalid variable is wrong usage."""
    from mashup_worker.settings import load_service_settings

    try:
        return load_service_settings()
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
