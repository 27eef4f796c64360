"""Addresses of audio that jobs read, and the rights of users to objects of the store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mashup_worker.errors import InvalidInput
from mashup_worker.storage.objects import check_source_key, key_readings, printable, s3_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.settings import InputSettings
    from mashup_worker.storage.objects import Storage

MAX_QUOTED_LETTERS = 200
"""Letters of untrusted text that a message quotes."""

RESULTS_PREFIX = "jobs/"
"""Prefix of the keys of results, which are `jobs/<job>/<attempt>/<name>`."""

_RESULT_KEY = re.compile(
    rf"^{RESULTS_PREFIX}([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})/"
)


@dataclass(frozen=True, kw_only=True)
class SourceRights:
    """Rights of one user to the sources of a job.

    Attributes:
        storage: our own store.
        user_id: user of the job; None may read the whole store.
        owns_job: returns whether a job is the user's.
        refusal: class of the error for objects that the user must not read.
    """

    storage: Storage
    settings: InputSettings
    user_id: UUID | None
    owns_job: Callable[[UUID], bool]
    refusal: type[InvalidInput] = InvalidInput

    def locate(self, address: str) -> tuple[str | None, str] | None:
        """Return bucket and key of an address that the user may read.

        The bucket is None for our own store. Returns None for an address outside all stores.

        Raises:
            InvalidInput: the user must not read it; the message is the same as for a missing
                object. Or jobs must not read the bucket, or the key is invalid.
        """
        key = own_key(self.storage, address)
        if key is not None:
            self._check_key(key)
            return None, key
        in_bucket = s3_parts(address)
        if in_bucket is None:
            return None
        bucket, key = in_bucket
        if bucket not in self.settings.input_buckets:
            name = bucket.rpartition("@")[2][:MAX_QUOTED_LETTERS]
            raise InvalidInput(f"bucket {name!r}: jobs must not read it")
        self._check_key(key)
        return bucket, key

    def _check_key(self, key: str) -> None:
        """Check that the user may read a key, however the store reads it."""
        check_source_key(key)
        if all(self._is_readable(reading) for reading in key_readings(key)):
            return
        shown = printable(key[:MAX_QUOTED_LETTERS])
        raise self.refusal(f"{shown}: object not found, or this user must not read it")

    def _is_readable(self, key: str) -> bool:
        if self.user_id is None:
            return True
        prefixes = [one.format(user_id=self.user_id) for one in self.settings.input_prefixes]
        if key.startswith(tuple(prefixes)):
            return True
        job_id = job_of_result(key)
        return job_id is not None and self.owns_job(job_id)


def own_key(storage: Storage, address: str) -> str | None:
    """Return the key in our own store of an address; None for other URLs.

    Raises:
        InvalidInput: the address is a URL of this store with an invalid key.
    """
    key = storage.key_of(address)
    return address if key is None and "://" not in address else key


def job_of_result(key: str) -> UUID | None:
    """Return the job whose result has a key; None for other keys."""
    found = _RESULT_KEY.match(key)
    return None if found is None else UUID(found[1])
