"""The styles that songs are drawn from."""

from __future__ import annotations

from . import band, club, quiet, roots
from .kinds import Groove, Line, Style

STYLES: tuple[Style, ...] = (*band.STYLES, *club.STYLES, *roots.STYLES, *quiet.STYLES)

__all__ = ["STYLES", "Groove", "Line", "Style"]
