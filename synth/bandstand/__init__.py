"""A band that plays any number of labelled songs of many styles.

`draw` writes a song on paper in milliseconds, `generate` plays it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synth.bandstand.plan import census, draw
from synth.bandstand.stage import perform

if TYPE_CHECKING:
    from synth.song import Song

__all__ = ["census", "draw", "generate"]


def generate(seed: int) -> Song:
    """Make the song of a seed: 40 to 60 s, stereo at 44.1 kHz; the same seed, the same song."""
    return perform(draw(seed))
