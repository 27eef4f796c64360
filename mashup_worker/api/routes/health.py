"""State of the API process, for load balancers."""

from __future__ import annotations

from fastapi import APIRouter

from mashup_worker.api.context import Context

router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def live() -> dict[str, str]:
    """Answer while the process serves requests."""
    return {"status": "ok"}


@router.get("/readyz")
def ready(context: Context) -> dict[str, str]:
    """Answer while Postgres does."""
    context.check()
    return {"status": "ok"}
