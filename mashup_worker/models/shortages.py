"""How often memory did not suffice for a batch, in this process. Imports no torch."""

from __future__ import annotations

_noted = 0


def note_shortage() -> None:
    """A batch was too large, and is tried again as two."""
    global _noted
    _noted += 1


def shortages() -> int:
    """How often that happened since the process began."""
    return _noted
