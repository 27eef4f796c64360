"""`mashup studio-link`: links that log a browser in to the studio."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.login_link import new_login_link
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of


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
