"""Weights of evidence, fitted by `benchmarks/fit.py` to songs that no measurement uses."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array

_FILE = "weights.json"

HIGHEST_EVIDENCE = 3.0
"""Figures further out than so many standard deviations say no more than these."""


@lru_cache(maxsize=1)
def _weights() -> dict[str, Any]:
    text = files("mashup_worker.analysis").joinpath(_FILE).read_text(encoding="utf-8")
    weights: dict[str, Any] = json.loads(text)
    return weights


def key_weights() -> dict[str, dict[str, float]]:
    """Weights of evidence for keys, by profile and by name."""
    weights: dict[str, dict[str, float]] = _weights()["key"]
    return weights


@lru_cache(maxsize=1)
def _metre() -> dict[str, Array]:
    return {name: np.array(values) for name, values in _weights()["metre"].items()}


def metre_scores(evidence: Array) -> Array:
    """Scores of hypotheses on metre, shape `(hypotheses, features)` to `(hypotheses,)`.

    A weighted sum of the evidence and of a few saturating combinations of it (one hidden layer);
    their exponentials are to each other as the hypotheses' likelihoods.
    """
    fit = _metre()
    row = (evidence - fit["mean"]) / fit["scale"]
    row = np.clip(row, -HIGHEST_EVIDENCE, HIGHEST_EVIDENCE)
    hidden = np.tanh(row @ fit["hidden"].T + fit["hidden_bias"])
    return np.asarray(row @ fit["linear"] + hidden @ fit["out"])
