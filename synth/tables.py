"""Tables of styles and chords: TOML files beside the modules that read them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def read_table(name: str) -> dict[str, Any]:
    """Return a table by its path in this package, such as `"jukebox/styles/band.toml"`."""
    return tomllib.loads((_PACKAGE / name).read_text(encoding="utf-8"))
