"""Keys of uploaded files: all that the API has to know about a file stands in its key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self
    from uuid import UUID

_SERVICE = "service"
_KEY = re.compile(
    r"uploads/(?P<owner>[^/]+)/files/(?P<id>[a-z2-7]{26})/(?P<sha256>[0-9a-f]{64})/(?P<name>[^/]+)"
)


@dataclass(frozen=True, kw_only=True)
class FileKey:
    """Parts of the key of an uploaded file.

    Attributes:
        owner: user, or the service itself.
        id: id for clients.
        name: file name, safe in keys.
    """

    owner: str
    id: str
    sha256: str
    name: str

    @classmethod
    def read(cls, key: str) -> Self | None:
        """Return the parts of a key; None for the key of another object."""
        match = _KEY.fullmatch(key)
        return None if match is None else cls(**match.groupdict())

    def __str__(self) -> str:
        return f"{files_prefix(self.owner)}{self.id}/{self.sha256}/{self.name}"

    def url(self, api_url: str) -> str:
        """Return the address of the file in the API."""
        return f"{api_url}/v1/files/{self.id}"


def owner_of(user_id: UUID | None) -> str:
    """Return the part of keys that names a user, or the service for None."""
    return _SERVICE if user_id is None else str(user_id)


def files_prefix(owner: str) -> str:
    """Return the prefix of the keys of an owner's files."""
    return f"uploads/{owner}/files/"
