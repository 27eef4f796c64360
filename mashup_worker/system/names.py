"""Names of files that are valid on every system."""

from __future__ import annotations

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""Letters that names of files must not have on some system."""

MAX_NAME_BYTES = 160
"""Most systems allow 255, of which kind and suffix of a stem take some."""


def safe_name(name: str) -> str:
    """Return a name that files may have on every system; other letters become underscores."""
    kept = "".join(
        "_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in name
    )
    return kept.strip(" .").encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(" .") or "_"


def printable(text: str) -> str:
    """Return a text without control characters and bytes of no encoding, which XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable())
