"""Fetch all files of a model from one of its sources, and verify them."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.digests import SHOWN_DIGITS, check_sha256
from mashup_worker.models.fetch import FetchError, NotThereError, read_blocks
from mashup_worker.system.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mashup_worker.models.weight_files import WeightFile

    OnBytes = Callable[[int, int], None]
    """Called with the bytes fetched and the bytes of the whole model."""


@dataclass(frozen=True)
class Offer:
    """Source of all files of a model: each file with its addresses, in the order of trial."""

    label: str
    files: tuple[tuple[WeightFile, tuple[str | Path, ...]], ...]


def take(offer: Offer, folder: Path, on_progress: OnBytes | None) -> dict[str, str]:
    """Fetch all files of an offer into the folder; return SHA-256 by file name.

    Raises:
        FetchError: a file cannot be fetched, or has another digest.
    """
    total_bytes = sum(file.size_bytes for file, _ in offer.files)
    done_bytes = 0

    def report(fetched_bytes: int) -> None:
        if on_progress is not None:
            on_progress(done_bytes + fetched_bytes, total_bytes)

    for file, addresses in offer.files:
        if not _is_there(file, folder):
            _fetch_first(file, addresses, folder / file.name, report)
        done_bytes += file.size_bytes
        report(0)
    return {file.name: file.sha256 for file, _ in offer.files}


def _is_there(file: WeightFile, folder: Path) -> bool:
    try:
        check_sha256(folder / file.name, file.sha256)
    except ModelUnavailable:
        return False
    return True


def _fetch_first(
    file: WeightFile, addresses: tuple[str | Path, ...], target: Path, report: Callable[[int], None]
) -> None:
    """Fetch the file from the first address that has it."""
    for address in addresses[:-1]:
        with contextlib.suppress(NotThereError):
            return _fetch(file, address, target, report)
    return _fetch(file, addresses[-1], target, report)


def _fetch(
    file: WeightFile, address: str | Path, target: Path, report: Callable[[int], None]
) -> None:
    """Fetch the file to `target`, where it appears once it is complete and verified."""
    digest = hashlib.sha256()
    fetched_bytes = 0
    with atomic_file(target, durable=False) as out:
        for block in read_blocks(address, file.size_bytes):
            out.write(block)
            digest.update(block)
            fetched_bytes += len(block)
            report(fetched_bytes)
        found = digest.hexdigest()
        if found != file.sha256:
            raise FetchError(
                f"{address}: SHA-256 is {found[:SHOWN_DIGITS]}…, "
                f"expected {file.sha256[:SHOWN_DIGITS]}…"
            )
