"""Pages of lists. A cursor names the last item of a page, so new items never shift later pages."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from mashup_worker.api.documents import Document
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = TypeVar("Row")
Item = TypeVar("Item", bound=Document)
Key = TypeVar("Key", bound=tuple[Any, ...])

Limit = Annotated[int, Query(ge=1, le=100, description="Largest number of items.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]


class Page(Document, Generic[Item]):
    """Page of a list.

    Attributes:
        next: cursor of the next page; null after the last.
    """

    items: list[Item]
    next: str | None = Field(examples=["WyIyMDI2LTA1LTA0VDEyOjAwOjAwWiJd", None])


def next_cursor(
    found: Sequence[Row], limit: int, key: Callable[[Row], tuple[Any, ...]]
) -> str | None:
    """Return the cursor after the first `limit` rows; None if more were searched than found."""
    return to_cursor(*key(found[limit - 1])) if len(found) > limit else None


def to_cursor(*key: Any) -> str:
    """Return the cursor of an item by its sort key."""
    return base64.urlsafe_b64encode(to_json(key)).rstrip(b"=").decode()


def from_cursor(cursor: str, kind: type[Key]) -> Key:
    """Return the sort key in a cursor, checked against a type such as `tuple[datetime, UUID]`.

    Raises:
        InvalidInput: the cursor is invalid, or belongs to a list in another order.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return TypeAdapter(kind).validate_json(text, strict=True)
    except (ValueError, ValidationError):
        raise InvalidInput(
            "cursor: invalid; use `next` of a page with the same parameters"
        ) from None
