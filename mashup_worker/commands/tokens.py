"""`mashup tokens`: service tokens of the HTTP API."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of

if TYPE_CHECKING:
    from mashup_worker.db.api_tokens import ApiToken

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens of the HTTP API.")

_DAY_S = 86_400.0


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name for lists and logs.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Scope: read, write or operator; may be repeated. [read and write]"),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Id of the user for whom the token acts. [the service]")
    ] = None,
    days: Annotated[float | None, typer.Option(min=0, help="Lifetime in days. [no end]")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it; it can't be shown again."""
    from mashup_worker.db.api_tokens import SCOPES, create_token, new_secret

    scopes = scope or ["read", "write"]
    unknown = [one for one in scopes if one not in SCOPES]
    if unknown:
        fail(f"--scope {unknown[0]}: use one of {', '.join(SCOPES)}")
    secret = new_secret()
    with jobs_database() as database, database.transaction() as connection:
        token = create_token(
            connection,
            secret,
            name=name,
            scopes=[one for one in SCOPES if one in scopes],
            user_id=None if user is None else uuid_of(user, "--user"),
            lifetime_s=None if days is None else days * _DAY_S,
        )
    typer.echo(json.dumps({**_document(token), "token": secret}) if as_json else secret)


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List all tokens, without their secrets."""
    from mashup_worker.db.api_tokens import all_tokens

    with jobs_database() as database, database.transaction() as connection:
        found = all_tokens(connection)
    for token in found:
        _print(token, as_json=as_json)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Id of the token.")], as_json: AsJson = False
) -> None:
    """Revoke a token; the API refuses it within ten seconds."""
    from mashup_worker.db.api_tokens import revoke_token

    with jobs_database() as database, database.transaction() as connection:
        token = revoke_token(connection, uuid_of(token_id, "token"))
    _print(token, as_json=as_json)


def _print(token: ApiToken, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(token)))
        return
    state = "valid"
    if token.revoked_at is not None:
        state = f"revoked {token.revoked_at:%Y-%m-%d}"
    elif token.expires_at is not None:
        state = f"until {token.expires_at:%Y-%m-%d %H:%M}"
    who = f"user {token.user_id}" if token.user_id else "service"
    typer.echo(f"{token.id}  {state}  {','.join(token.scopes)}  {who}  {token.name}")


def _document(token: ApiToken) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(token), default=str))  # type: ignore[no-any-return]
