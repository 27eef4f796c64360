"""Addresses and credentials of a stack."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class StackInfo:
    """Addresses and credentials of a stack; an empty string stands for a missing server.

    Attributes:
        database_url, worker_database_url, api_database_url: the database, as the owner of the
            tables, as the role of worker and mirror, and as the role of the API.
        access_key, secret_key: public and secret part of the store's key.
        api_url, api_port, api_token, api_secret: address of the API, its port on this machine, a
            token of the service, and the secret of its links.
        user_id: user whose songs are on this machine; empty if the database is another one's.
        pids: process ids of the servers and of other announced processes.
    """

    database_url: str = field(default="", repr=False)
    worker_database_url: str = field(default="", repr=False)
    api_database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    s3_endpoint_url: str = ""
    bucket: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    api_url: str = ""
    api_port: str = ""
    api_token: str = field(default="", repr=False)
    api_secret: str = field(default="", repr=False)
    user_id: str = ""
    pids: Mapping[str, int] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the stack, with the owner's database."""
        settings = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "S3_ENDPOINT_URL": self.s3_endpoint_url,
            "S3_BUCKET": self.bucket,
            "S3_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "MASHUP_API_URL": self.api_url,
            "MASHUP_API_TOKEN": self.api_token,
            "MASHUP_USER_ID": self.user_id,
        }
        return {name: value for name, value in settings.items() if value}

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, secrets included, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StackInfo:
        """Return the object of a dictionary from `as_dict`."""
        names = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})
