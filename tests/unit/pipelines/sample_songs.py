"""Sample songs as stems."""

from __future__ import annotations

from pathlib import Path

from mashup_worker.pipelines.mashup.songs import SongFiles

SAMPLES = Path(__file__).parents[3] / "samples"
NAMES = ("hold-on-to-the-light", "slow-it-down", "when-the-night-falls")
KINDS = ("vocals", "drums", "bass", "other")


def sample(name: str) -> SongFiles:
    """Return the stems of a sample song."""
    return SongFiles(name, {kind: SAMPLES / name / f"{kind}.ogg" for kind in KINDS})
