"""Addresses that clients with a wrong base URL call: a 404 that says the right one."""

from __future__ import annotations

from fastapi import APIRouter

from mashup_worker.api.context import Context
from mashup_worker.errors import NotFound

router = APIRouter(include_in_schema=False)

_RESOURCES = ("predictions", "models", "files", "webhooks", "account")
_PREFIXES = ("/v1/v1", "", "/api", "/api/v1")


async def explain_base_url(context: Context) -> None:
    """Answer with the base URL for each client.

    Raises:
        NotFound: always.
    """
    raise NotFound(
        f"base URL: wrong; npm `replicate`: baseUrl {context.url}/v1; PyPI `replicate` 1.x: "
        f"REPLICATE_BASE_URL={context.url}; PyPI `replicate` 2.x: "
        f"REPLICATE_BASE_URL={context.url}/v1; requests of your own: {context.url}/v1/predictions"
    )


for _path in (f"{prefix}/{resource}" for prefix in _PREFIXES for resource in _RESOURCES):
    for _route in (_path, f"{_path}/{{rest:path}}"):
        router.add_api_route(
            _route, explain_base_url, methods=["GET", "POST", "DELETE"], status_code=404
        )
