"""`mashup studio-link`: links that log a browser in to the studio."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.api_tokens import Scope
    from mashup_worker.db.database import Database


def studio_link(
    user: Annotated[
        str | None, typer.Option(help="Id of the user who logs in. [the service itself]")
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Let the browser see and steer the fleet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a one-time link to the studio.

    It logs a browser in within 15 minutes. Needs MASHUP_API_URL. Without --user it needs
    --operator, and shows the queue only.
    """
    url = service_settings_or_fail().api.api_url
    if url is None:
        fail("MASHUP_API_URL: not set; give the public address, as https://host")
    if user is None and not operator:
        fail("give --user, --operator or both")
    user_id = None if user is None else uuid_of(user, "--user")
    with jobs_database() as database:
        link = new_login_link(database, url, user_id, operator=operator)
    typer.echo(json.dumps({"login_url": link}) if as_json else link)


def new_login_link(database: Database, url: str, user_id: UUID | None, *, operator: bool) -> str:
    """Return a new one-time link to the studio.

    Args:
        database: database of the service, as the owner of its tables.
        url: public address of the API.
        user_id: user who logs in; None for the service itself, whose link shows the fleet only.
        operator: whether the link allows to see and steer the fleet.
    """
    from mashup_worker.db.sessions import create_code, new_secret

    scopes: list[Scope] = [] if user_id is None else ["read", "write"]
    code = new_secret()
    with database.transaction() as connection:
        create_code(
            connection, code, user_id=user_id, scopes=[*scopes, "operator"] if operator else scopes
        )
    return f"{url}/studio#login={code}"
