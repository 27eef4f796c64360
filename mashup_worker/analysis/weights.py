"""Weights of the evidence for keys and meters.

`benchmarks/fit.py` fits them to songs that no measurement uses.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array

_FILE = "weights.json"

MAX_EVIDENCE = 3.0
"""Limit of the evidence, in standard deviations."""


@lru_cache(maxsize=1)
def _weights() -> dict[str, Any]:
    text = files("mashup_worker.analysis").joinpath(_FILE).read_text(encoding="utf-8")
    weights: dict[str, Any] = json.loads(text)
    return weights


def key_weights() -> dict[str, dict[str, float]]:
    """Return the weights of the evidence for keys, by profile and by name."""
    weights: dict[str, dict[str, float]] = _weights()["key"]
    return weights


@lru_cache(maxsize=1)
def _meter_weights() -> dict[str, Array]:
    return {name: np.array(values) for name, values in _weights()["meter"].items()}


def meter_scores(evidence: Array) -> Array:
    """Return scores of meters, shape `(meters, features)` to `(meters,)`.

    A score is a weighted sum of the evidence and of saturating combinations of it (one hidden
    layer). The exponentials of the scores are proportional to the likelihoods.
    """
    fit = _meter_weights()
    row = (evidence - fit["mean"]) / fit["scale"]
    row = np.clip(row, -MAX_EVIDENCE, MAX_EVIDENCE)
    hidden = np.tanh(row @ fit["hidden"].T + fit["hidden_bias"])
    return np.asarray(row @ fit["linear"] + hidden @ fit["out"])
