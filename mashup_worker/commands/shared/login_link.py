"""Links that log a browser in to the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.api_tokens import Scope
    from mashup_worker.db.database import Database


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
