"""How commands end when they can't go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from mashup_worker.errors import EXIT_USAGE, InvalidInput
from mashup_worker.settings import load_settings

if TYPE_CHECKING:
    from mashup_worker.settings import ServiceSettings, Settings


def fail(message: str, exit_code: int) -> NoReturn:
    """Print one line on stderr and end the command."""
    typer.echo(f"mashup: {message}", err=True)
    raise typer.Exit(exit_code)


def settings_or_fail() -> Settings:
    """The environment's settings; a variable that can't be used is wrong usage."""
    try:
        return load_settings()
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)


def service_settings_or_fail() -> ServiceSettings:
    """The services' settings, in the same way."""
    from mashup_worker.settings import load_service_settings

    try:
        return load_service_settings()
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
