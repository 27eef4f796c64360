"""Names of files that are valid on every system."""

from __future__ import annotations

import unicodedata
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""Letters that names of files must not have on some system."""

MAX_NAME_BYTES = 160
"""Most systems allow 255, of which kind and suffix of a stem take some."""


_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(1, 10)))
)
"""Names that Windows reserves, with any suffix."""


def safe_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return a name that files may have on every system; other letters become underscores."""
    kept = "".join(
        "_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in name
    )
    short = kept.strip(" .").encode()[:max_bytes].decode(errors="ignore").strip(" .")
    return f"_{short}" if short.partition(".")[0].strip().lower() in _DEVICES else short or "_"


def free_name(name: str, taken: set[str]) -> str:
    """Return a name, with a number if it is taken, and take it.

    Names that differ in case or Unicode normalization only are one, as on some file systems.
    """
    for number in count(1):
        found = name if number == 1 else f"{name} {number}"
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", found).casefold())
        if folded not in taken:
            taken.add(folded)
            return found
    raise AssertionError


def safe_names(names: Iterable[str], max_bytes: int = MAX_NAME_BYTES) -> list[str]:
    """Return names that files in one folder may have on every system."""
    taken: set[str] = set()
    return [free_name(safe_name(name, max_bytes), taken) for name in names]


def printable(text: str) -> str:
    """Return a text without control characters and bytes of no encoding, which XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable())
