"""Packages that the steps import, found by tracing their imports."""

from __future__ import annotations

import importlib.util

NEEDED: dict[str, str] = {
    "torch": "torch",
    "torchaudio": "torchaudio",
    "demucs": "demucs",
}
"""By distribution, the module that it is imported by."""


def missing() -> list[str]:
    """Return the distributions that this interpreter lacks."""
    return [name for name, module in NEEDED.items() if not is_importable(module)]


def is_importable(module: str) -> bool:
    """Return whether a top-level module can be found."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
