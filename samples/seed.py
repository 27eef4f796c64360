"""Separates the sample songs with the service of `mashup up --open`, for a user without songs.

Both users are those of the demo, so a later `make demo` over the same data reuses the stems.
"""

from __future__ import annotations

import contextlib
import os

from rich.console import Console

from samples.backend import Backend


def main() -> None:
    """Separate the songs, unless the user has songs already."""
    console = Console(stderr=True, highlight=False, quiet=not os.isatty(2))
    backend = Backend(console)
    if backend.sql("SELECT FROM ai_jobs WHERE user_id = %s LIMIT 1", backend.user):
        return
    console.print("separating the sample songs")
    backend.separate_samples(os.environ.get("MASHUP_MODEL") or "auto")
    console.print("the sample songs are in the studio")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
