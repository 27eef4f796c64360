"""Weights of the evidence for the form of a song; `benchmarks/fit_form.py` fits them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array

FILE = "weights.json"


@lru_cache(maxsize=1)
def read() -> dict[str, dict[str, Array]]:
    """Return the weights by hypothesis and field."""
    text = files("mashup_worker.analysis.form").joinpath(FILE).read_text(encoding="utf-8")
    return {
        name: {field: np.array(values) for field, values in fit.items()}
        for name, fit in json.loads(text).items()
    }


def log_odds(name: str, evidence: Array) -> Array:
    """Return the log odds of a hypothesis, shape `(n, features)` to `(n,)`.

    With several hypotheses (`weights` of shape `(hypotheses, features)`), the shape is
    `(n, hypotheses)`.
    """
    fit = read()[name]
    row = limited((evidence - fit["mean"]) / fit["scale"])
    return np.asarray(row @ fit["weights"].T + fit["bias"])


def limited(row: Array) -> Array:
    """Limit evidence to four standard deviations."""
    return np.clip(row, -4, 4)


def share(odds: Array) -> Array:
    """Return the probability of log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))))
