"""Exit of commands on an error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from mashup_worker.commands.shared.names import one_line
from mashup_worker.errors import EXIT_USAGE, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.settings import ServiceSettings, Settings


def fail(message: str, exit_code: int = EXIT_USAGE) -> NoReturn:
    """Print one line on stderr and exit."""
    typer.echo(f"mashup: {one_line(message)}", err=True)
    raise typer.Exit(exit_code)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Report invalid input in the block as wrong usage; it comes from the command line."""
    try:
        yield
    except InvalidInput as error:
        fail(error.message)


def settings_or_fail() -> Settings:
    """Return the settings of the environment; an invalid variable is wrong usage."""
    from mashup_worker.settings import load_settings

    with usage_errors():
        return load_settings()


def service_settings_or_fail() -> ServiceSettings:
    """Return the settings of the services; an invalid variable is wrong usage."""
    from mashup_worker.settings import load_service_settings

    with usage_errors():
        return load_service_settings()
