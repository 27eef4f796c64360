"""Objects that nobody names any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mashup_worker.storage.objects import Storage

_PAGE = 500
_GROUP = 50
"""How many keys are removed after one look at who names them: few, so that the look is fresh."""


@dataclass(frozen=True)
class SweepResult:
    """What a sweep did.

    Attributes:
        removed: keys that were removed, or would be.
        kept: how many were named, or too young.
        bytes_removed: what the removed ones held.
    """

    removed: tuple[str, ...]
    kept: int
    bytes_removed: int


def sweep(
    storage: Storage,
    prefix: str,
    is_named: Callable[[Sequence[str]], set[str]],
    *,
    older_than_s: float,
    now: datetime,
    dry_run: bool,
) -> SweepResult:
    """Remove objects that are older than a grace and that nobody names.

    Who names a key is asked for many keys at once, and once more just before they are removed.

    Args:
        storage: the store.
        prefix: beginning of the keys that are looked at.
        is_named: those of the given keys that are still needed.
        older_than_s: the grace; an object may be written before it is named.
        now: the time, with its time zone.
        dry_run: remove nothing.

    Raises:
        StorageFailed: the store can't be used.
    """
    oldest = now - timedelta(seconds=older_than_s)
    removed: list[str] = []
    kept = size = 0
    objects = storage.list(prefix)
    while page := list(islice(objects, _PAGE)):
        old = {one.key: one.bytes for one in page if one.modified_at < oldest}
        gone = _unnamed(list(old), is_named)
        if not dry_run:
            gone = _remove(storage, gone, is_named)
        removed += gone
        size += sum(old[key] for key in gone)
        kept += len(page) - len(gone)
    return SweepResult(tuple(removed), kept, size)


def _unnamed(keys: Sequence[str], is_named: Callable[[Sequence[str]], set[str]]) -> list[str]:
    named = is_named(keys) if keys else set()
    return [key for key in keys if key not in named]


def _remove(
    storage: Storage, keys: Sequence[str], is_named: Callable[[Sequence[str]], set[str]]
) -> list[str]:
    """Remove those of the keys that still nobody names; gives these."""
    removed: list[str] = []
    for start in range(0, len(keys), _GROUP):
        group = _unnamed(keys[start : start + _GROUP], is_named)
        storage.delete(group)
        removed += group
    return removed
