"""`lite`, the preview model: works offline, splits a song roughly and quickly."""

from __future__ import annotations

from mashup_worker.models.lite.separator import LiteSeparator, load_lite

__all__ = ["LiteSeparator", "load_lite"]
