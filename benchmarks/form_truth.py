"""Songs with a known form, and the bars and sections that an analysis should find in them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.form.bars import BarFeatures, bar_edges_s, bar_features
from mashup_worker.analysis.onsets import find_onsets
from mashup_worker.analysis.result import DEFAULT_OPTIONS
from mashup_worker.pipelines.analysis.inputs import AnalysisInput, MonoDownmix
from mashup_worker.pipelines.analysis.steps import rhythm_of, to_chroma_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mashup_worker.audio.signal import Audio
    from synth.song import Song, Span, Truth


@dataclass(frozen=True, eq=False)
class View:
    """A song as its mix or as its stems, and the features of its bars."""

    features: BarFeatures
    truth: Truth


def generated(generator: str, seed: int) -> Song:
    """Return a song of a generator of `synth`."""
    song: Song = importlib.import_module(f"synth.{generator}").generate(seed)
    return song


def views(song: Song) -> list[View]:
    """Return the features of a song from its mix and from its stems; none without bars."""
    stems = {kind: _mono(stem) for kind, stem in song.stems.items()}
    mix = torch.stack(list(stems.values())).sum(dim=0)
    found = []
    for sounds in (AnalysisInput.of_mix(mix), AnalysisInput.of_stems(stems)):
        onsets = find_onsets(sounds.rhythm)
        harmony = chroma(to_chroma_rate(sounds.harmony))
        rhythm, _ = rhythm_of(sounds, onsets, harmony, DEFAULT_OPTIONS)
        edges_s = bar_edges_s(rhythm.downbeats_s, song.mix.duration_s)
        if len(edges_s) > 4:
            features = bar_features(edges_s, sounds.parts, harmony, onsets)
            found.append(View(features, song.truth))
    return found


def true_sections(view: View) -> list[tuple[slice, str]]:
    """Return the bars of the true sections, and their labels."""
    spans, edges_s = view.truth.sections, view.features.edges_s
    borders = [span.start_s for span in spans] + [spans[-1].stop_s]
    bars = [int(np.abs(edges_s - border).argmin()) for border in borders]
    parts = zip(bars, bars[1:], spans, strict=False)
    return [(slice(first, stop), span.label) for first, stop, span in parts if stop > first]


def intervals(spans: Sequence[Span]) -> tuple[NDArray[np.float64], list[str]]:
    """Return spans as mir_eval takes them: `(spans, 2)`, and labels."""
    times = np.array([[span.start_s, span.stop_s] for span in spans])
    return times, [span.label for span in spans]


def _mono(stem: Audio) -> torch.Tensor:
    downmix = MonoDownmix(stem.sample_rate, stem.channels)
    downmix.add(stem.samples)
    return downmix.finish()


def frames(spans_s: Sequence[tuple[float, float]], duration_s: float) -> NDArray[np.bool_]:
    """Return which frames of 10 ms lie in spans, shape `(frames,)`."""
    times = np.arange(int(duration_s * 100)) / 100
    inside = [(times >= start_s) & (times < stop_s) for start_s, stop_s in spans_s]
    return np.asarray(np.any(inside, axis=0)) if inside else np.zeros(len(times), dtype=bool)


def micro_f(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Return the F-measure of frames; 1 where both are empty."""
    total = int(truth.sum() + found.sum())
    return 2 * int((truth & found).sum()) / total if total else 1.0
