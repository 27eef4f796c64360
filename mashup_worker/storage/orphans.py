"""Removal of objects without a reference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mashup_worker.storage.objects import Storage

    Referenced = Callable[[Sequence[str]], set[str]]
    """Returns the keys, among those given, that are still needed."""

_PAGE = 500
_DELETE_BATCH = 50
"""Number of keys deleted per check: few, so that the check is recent."""


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Result of a sweep.

    Attributes:
        removed: keys that were removed, or that a dry run found.
        kept: number of objects that are referenced or too young.
        bytes_removed: total size of the removed objects.
    """

    removed: tuple[str, ...]
    kept: int
    bytes_removed: int


def sweep(
    storage: Storage,
    prefix: str,
    referenced: Referenced,
    *,
    older_than_s: float,
    now: datetime,
    dry_run: bool,
) -> SweepResult:
    """Remove the objects below a prefix that are old and without a reference.

    References are checked for many keys at once, and again just before the removal. The minimum
    age is needed because an object may be written before it is referenced. `now` has a time zone.

    Raises:
        StorageFailed: the store is unavailable.
    """
    oldest = now - timedelta(seconds=older_than_s)
    removed: list[str] = []
    kept = size = 0
    objects = storage.list(prefix)
    while page := list(islice(objects, _PAGE)):
        old = {one.key: one.bytes for one in page if one.modified_at < oldest}
        orphans = _unreferenced(list(old), referenced)
        if not dry_run:
            orphans = _remove(storage, orphans, referenced)
        removed += orphans
        size += sum(old[key] for key in orphans)
        kept += len(page) - len(orphans)
    return SweepResult(removed=tuple(removed), kept=kept, bytes_removed=size)


def _unreferenced(keys: Sequence[str], referenced: Referenced) -> list[str]:
    needed = referenced(keys) if keys else set()
    return [key for key in keys if key not in needed]


def _remove(storage: Storage, keys: Sequence[str], referenced: Referenced) -> list[str]:
    """Delete the keys that are still unreferenced; return them."""
    removed: list[str] = []
    for start in range(0, len(keys), _DELETE_BATCH):
        batch = _unreferenced(keys[start : start + _DELETE_BATCH], referenced)
        storage.delete(batch)
        removed += batch
    return removed
