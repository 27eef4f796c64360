"""Addresses of this API that inputs of jobs name in place of keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mashup_worker.api.links import key_in
from mashup_worker.api.replicate.files import find_file
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.api.context import ApiContext

_FILE = re.compile(r"/v1/files/([a-z2-7]{26})(?:/download)?")


def is_own(context: ApiContext, address: str) -> bool:
    """Return whether an address is one of this API."""
    return address.startswith((f"{context.url}/api/", f"{context.url}/v1/"))


def resolved(context: ApiContext, user_id: UUID | None, address: str) -> str:
    """Return the key of an uploaded file or of a signed link; any other address as it is.

    Whether the user may read the key is not checked here.

    Raises:
        NotFound: the user has no such file, the link is forged or has expired, or this API serves
            no file at the address.
        StorageFailed: the store is unavailable.
    """
    if not is_own(context, address):
        return address
    file = _FILE.fullmatch(address.removeprefix(context.url))
    if file is not None:
        return find_file(context, user_id, file[1])[0].key
    key = key_in(context, address)
    if key is None:
        raise NotFound("not an address of a file")
    return key
