"""SHA-256 digests of files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mashup_worker.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.errors import MashupError


def file_sha256(path: Path, error_class: type[MashupError] = StorageFailed) -> str:
    """Return the SHA-256 of a file's bytes as 64 lower-case hexadecimal digits.

    Raises:
        MashupError: the file cannot be read; an instance of `error_class`.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise error_class(f"{path}: {error.strerror or error}") from error


def joined_sha256(digests: Mapping[str, str]) -> str:
    """Return one SHA-256 for several files from their digests by name, in any order."""
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()
