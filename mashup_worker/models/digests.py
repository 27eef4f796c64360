"""Verify weight files by the manifest `SHA256SUMS`, in the format of sha256sum.

`sha256sum --check SHA256SUMS` in a model's folder verifies it without this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "SHA256SUMS"

SHOWN_DIGITS = 12
"""Digits of a digest that a message shows."""


def check_sha256(path: Path, expected: str) -> None:
    """Verify a file by its SHA-256 in hexadecimal, or by the first digits of it.

    Raises:
        ModelUnavailable: the digest differs, or the file cannot be read.
    """
    found = file_sha256(path, ModelUnavailable)
    if not expected or not found.startswith(expected.lower()):
        raise ModelUnavailable(
            f"{path}: SHA-256 is {found[:SHOWN_DIGITS]}…, expected {expected[:SHOWN_DIGITS]}…"
        )


def manifest_text(digests: Mapping[str, str]) -> str:
    """Return the text of a manifest from SHA-256 by file name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def expected_digests(folder: Path) -> dict[str, str]:
    """Return SHA-256 by file name from the manifest of a folder; empty without a manifest.

    Raises:
        ModelUnavailable: the manifest is damaged or unreadable.
    """
    path = folder / MANIFEST
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"{path}: {error}") from error
    digests = {}
    for line in lines:
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or Path(name).name != name:
            raise ModelUnavailable(f"{path}: not a list of SHA-256 digests")
        digests[name] = digest
    return digests
