"""Weights of evidence, fitted by `benchmarks/fit.py` to songs that no measurement uses."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

_FILE = "weights.json"


@lru_cache(maxsize=1)
def _weights() -> dict[str, Any]:
    text = files("mashup_worker.analysis").joinpath(_FILE).read_text(encoding="utf-8")
    weights: dict[str, Any] = json.loads(text)
    return weights


def key_weights() -> dict[str, dict[str, float]]:
    """Weights of evidence for keys, by profile and by name."""
    weights: dict[str, dict[str, float]] = _weights()["key"]
    return weights


def metre_weights() -> dict[str, float]:
    """Weights of evidence for metres, by name."""
    weights: dict[str, float] = _weights()["metre"]
    return weights
