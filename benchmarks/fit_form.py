"""Fit the weights of the evidence for sections.

Renders songs of two generators whose seeds no measurement uses, finds their bars from the mix and
from the stems, and fits by maximum likelihood: whether a bar begins a section, whether two sections
repeat each other, and the role of a section. It writes `mashup_worker/analysis/form/weights.json`.

    python -m benchmarks.fit_form --songs 24
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize

from benchmarks.form_truth import View, generated, true_sections, views
from mashup_worker.analysis.form import boundaries, letters, roles, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.arrays import Array

WEIGHTS = Path(weights.__file__).with_name(weights.FILE)
GENERATORS = ("bandstand", "jukebox")
_NEAR_S = 0.3
_DECAY = 3.0
_DIGITS = 4

Example = tuple["Array", "NDArray[np.intp]"]


def boundary_examples(view: View) -> Example:
    """Return the evidence at each inner bar start, and whether a section begins there."""
    starts_s = view.features.edges_s[1:-1]
    right = np.zeros(len(starts_s), dtype=np.intp)
    for span in view.truth.sections[1:]:
        nearest = int(np.abs(starts_s - span.start_s).argmin())
        right[nearest] = abs(starts_s[nearest] - span.start_s) < _NEAR_S
    return boundaries.boundary_evidence(view.features), right


def repetition_examples(view: View) -> Example:
    """Return the evidence of each pair of true sections, and whether their labels are equal."""
    paths = letters.repetitions(view.features)
    rows: list[Array] = [np.zeros((0, len(letters.EVIDENCE)))]
    right: list[bool] = []
    for (one, label), (other, second) in combinations(true_sections(view), 2):
        rows.append(letters.pair_evidence(view.features, paths, one, other)[None])
        right.append(label == second)
    return np.concatenate(rows), np.array(right, dtype=np.intp)


def role_examples(view: View) -> Example:
    """Return the evidence of the sections found, and the true roles of most of their time."""
    features = view.features
    parts = boundaries.spans_of(boundaries.divided(boundaries.boundary_log_odds(features)))
    parts, found = letters.joined(parts, letters.letters_of(features, parts))
    evidence = roles.role_evidence(features, parts, found)
    names: Sequence[str] = roles.FITTED
    kept, right = [], []
    for index, part in enumerate(parts):
        bars: dict[str, int] = dict.fromkeys(roles.FITTED, 0)
        for true, label in true_sections(view):
            shared = min(part.stop, true.stop) - max(part.start, true.start)
            bars[label] = bars.get(label, 0) + max(0, shared)
        role = max(bars, key=lambda label: bars[label])
        if 2 * bars[role] > part.stop - part.start and role in names:
            kept.append(index)
            right.append(names.index(role))
    return evidence[kept], np.array(right, dtype=np.intp)


def fit(examples: Sequence[Example], hypotheses: int) -> dict[str, Any]:
    """Fit weights by logistic regression; two hypotheses have one set of weights."""
    rows = np.concatenate([one[0] for one in examples])
    right = np.concatenate([one[1] for one in examples])
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    rows = weights.limited((rows - mean) / scale)
    shape = (1 if hypotheses == 2 else hypotheses, rows.shape[1] + 1)

    def loss(flat: Array) -> float:
        table = flat.reshape(shape)
        odds = rows @ table[:, 1:].T + table[:, 0]
        odds = np.pad(odds, ((0, 0), (1, 0))) if hypotheses == 2 else odds
        most = odds.max(axis=1, keepdims=True)
        likelihood = odds[np.arange(len(right)), right] - most[:, 0]
        likelihood -= np.log(np.exp(odds - most).sum(axis=1))
        return float(0.5 * _DECAY * np.square(table[:, 1:]).sum() - likelihood.sum())

    table = minimize(loss, np.zeros(shape).ravel(), method="L-BFGS-B").x.reshape(shape)
    found, bias = table[:, 1:], table[:, 0]
    if hypotheses == 2:
        found, bias = found[0], bias[0]
    values = {"mean": mean, "scale": scale, "weights": found, "bias": bias}
    return {name: _rounded(np.asarray(value).tolist()) for name, value in values.items()}


def _views(generator: str, seed: int) -> list[View]:
    torch.set_num_threads(1)
    return views(generated(generator, seed))


def _write(fits: dict[str, Any]) -> None:
    WEIGHTS.write_text(json.dumps(fits, separators=(",", ":")) + "\n", encoding="utf-8")
    weights.read.cache_clear()


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.{_DIGITS}g}")


def main() -> None:
    """Fit and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--songs", type=int, default=24)
    songs = range(parser.parse_args().songs)
    with get_context("spawn").Pool() as pool:
        groups = [pool.map(partial(_views, generator), songs) for generator in GENERATORS]
    found = [view for group in groups for song in group for view in song]
    fits = {
        "boundary": fit([boundary_examples(view) for view in found], 2),
        "repetition": fit([repetition_examples(view) for view in found], 2),
    }
    _write(fits)
    # Roles are those of sections found with these weights.
    fits["role"] = fit([role_examples(view) for view in found], len(roles.FITTED))
    _write(fits)
    print(f"{len(found)} views of songs, {WEIGHTS}")


if __name__ == "__main__":
    main()
