"""Where the servers of a stack are, and what opens them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StackInfo:
    """What programs need to use a stack; empty texts stand for parts that it has not.

    Attributes:
        database_url: the database, as the tables' owner.
        worker_database_url: the database, as worker and mirror see it.
        redis_url: Valkey.
        s3_endpoint_url: the object store.
        bucket: the store's bucket.
        region: the bucket's region.
        access_key: public half of the store's key.
        secret_key: secret half.
        pids: process number of each server, and of what else was announced.
    """

    database_url: str = field(default="", repr=False)
    worker_database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    s3_endpoint_url: str = ""
    bucket: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    pids: Mapping[str, int] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The variables that this package and others read, with the owner's database."""
        settings = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "S3_ENDPOINT_URL": self.s3_endpoint_url,
            "S3_BUCKET": self.bucket,
            "S3_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
        return {name: value for name, value in settings.items() if value}

    def as_dict(self) -> dict[str, Any]:
        """All of it, secrets included, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StackInfo:
        """What `as_dict` gave."""
        names = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})
