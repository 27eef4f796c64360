"""Sections, chords, singing and roles on generated songs whose form is known.

    python -m benchmarks.form [--songs 20] [--first-seed 100] [--network] [--lite]

Sections and chords are measured on `bandstand` and `jukebox`, whose first seeds were used for the
fit (`benchmarks/fit_form.py`), and singing on `jukebox` and on `bandstand` songs with a synthetic
singer. `--network` adds chords by network, and `--lite` singing in stems that `lite` separates.
Librosa's Laplacian segmentation gets the true number of labels.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import mir_eval
import numpy as np
import torch

from benchmarks.form_truth import frames, generated, intervals, micro_f
from benchmarks.laplacian import RATE_HZ, laplacian_segments
from benchmarks.results import publish, table
from mashup_worker.analysis.form.chord_network import is_installed
from mashup_worker.analysis.result import AnalysisOptions
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.form.result import ChordSpan, Section
    from mashup_worker.analysis.result import Analysis
    from synth.song import Song, Truth

    Labelled = tuple[NDArray[np.float64], Sequence[str]]

GENERATORS = ("bandstand", "jukebox")
SINGERS = ("jukebox", "sung")
SECTION_HEADINGS = (
    *("songs", "method", "F at 3 s", "F at 0.5 s", "inner F at 3 s", "inner F at 0.5 s"),
    *("pairwise F", "precision", "recall", "sections per true one"),
)
_EIGHT_BARS = 8


@dataclass
class Scores:
    """Scores of one song by table and method."""

    sections: dict[str, list[float]] = field(default_factory=dict)
    chords: dict[str, list[float]] = field(default_factory=dict)
    singing: dict[str, float] = field(default_factory=dict)
    roles: dict[str, float] = field(default_factory=dict)
    is_sung: bool = False


def measure_song(generator: str, network: bool, lite: bool, seed: int) -> Scores:
    """Score all methods on one song."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    song = generated(generator, seed)
    truth, scores = song.truth, Scores(is_sung=bool(song.truth.singing_s))
    found = {"mix": analyze_audio(song.mix).analysis, "stems": analyze_stems(song.stems).analysis}
    if generator in GENERATORS:
        for view, analysis in found.items():
            scores.sections[f"from {view}"] = section_scores(truth, spans_of(analysis.sections))
            scores.chords[f"template, {view}"] = chord_scores(truth, analysis.chords)
            scores.roles[view] = role_share(truth, analysis.sections)
        scores.sections |= _others(song, found["mix"])
        if network:
            options = AnalysisOptions(chord_method="network")
            chords = analyze_audio(song.mix, options).analysis.chords
            scores.chords["network, mix"] = chord_scores(truth, chords)
    if generator in SINGERS and scores.is_sung:
        scores.singing["true stems"] = singing_f(song, found["stems"])
    if generator in SINGERS and lite:
        scores.singing["by lite"] = singing_f(song, analyze_stems(_separated(song)).analysis)
    return scores


def spans_of(sections: Sequence[Section]) -> Labelled:
    """Return sections as mir_eval takes them."""
    if not sections:
        return np.array([[0.0, 1.0]]), ["A"]
    times = np.array([[one.start_s, one.stop_s] for one in sections])
    return times, [one.label for one in sections]


def section_scores(truth: Truth, found: Labelled) -> list[float]:
    """Return the scores of boundaries, with and without both ends, of labels, and the count."""
    adjust = mir_eval.util.adjust_intervals
    reference, true_labels = adjust(*intervals(truth.sections), t_min=0)
    times, labels = adjust(found[0], list(found[1]), t_min=0, t_max=reference.max())
    boundaries = [
        mir_eval.segment.detection(reference, times, window=window, trim=trim)[2]
        for trim in (False, True)
        for window in (3, 0.5)
    ]
    precision, recall, pairwise_f = mir_eval.segment.pairwise(reference, true_labels, times, labels)
    count = len(found[1]) / len(truth.sections)
    return [*boundaries, pairwise_f, precision, recall, count]


def chord_scores(truth: Truth, found: Sequence[ChordSpan]) -> list[float]:
    """Return the weighted accuracy of roots, and of major and minor chords."""
    reference, true_labels = intervals(truth.chords)
    times = np.array([[one.start_s, one.stop_s] for one in found] or [[0.0, 1.0]])
    names = [one.label for one in found] or ["N"]
    times, names = mir_eval.util.adjust_intervals(
        times, names, reference.min(), reference.max(), "N", "N"
    )
    merged, true_names, names = mir_eval.util.merge_labeled_intervals(
        reference, true_labels, times, names
    )
    durations = mir_eval.util.intervals_to_durations(merged)
    return [
        float(mir_eval.chord.weighted_accuracy(compare(true_names, names), durations))
        for compare in (mir_eval.chord.root, mir_eval.chord.majmin)
    ]


def singing_f(song: Song, found: Analysis) -> float:
    """Return the F-measure of frames of 10 ms with singing."""
    sung_s = [(one.start_s, one.stop_s) for one in found.singing]
    duration_s = song.mix.duration_s
    return micro_f(frames(song.truth.singing_s, duration_s), frames(sung_s, duration_s))


def role_share(truth: Truth, sections: Sequence[Section]) -> float:
    """Return the share of the time whose role is right; drops count as choruses."""
    right_s = sum(
        max(0.0, min(one.stop_s, span.stop_s) - max(one.start_s, span.start_s))
        for one in sections
        for span in truth.sections
        if span.label == ("chorus" if one.role == "drop" else one.role)
    )
    return right_s / (truth.sections[-1].stop_s - truth.sections[0].start_s)


def _others(song: Song, found: Analysis) -> dict[str, list[float]]:
    """Score librosa's segmentation, and sections of eight bars, all with one label."""
    truth = song.truth
    mono = resample(
        Audio(song.mix.samples.mean(dim=0, keepdim=True), song.mix.sample_rate), RATE_HZ
    )
    kinds = max(2, len({span.label for span in truth.sections}))
    laplacian = laplacian_segments(mono.samples[0].numpy(), kinds)
    borders = np.append(found.downbeats_s[::_EIGHT_BARS], song.mix.duration_s)
    eight = np.stack([borders[:-1], borders[1:]], axis=1) if len(borders) > 1 else [[0.0, 1.0]]
    eight_bars = np.asarray(eight), ["A"] * len(eight)
    return {
        "librosa's Laplacian": section_scores(truth, laplacian),
        "every eight bars": section_scores(truth, eight_bars),
    }


def _separated(song: Song) -> Mapping[str, Audio]:
    from mashup_worker.public import load_model

    return load_model("lite", device="cpu").separate(song.mix)


def measure(generator: str, seeds: Sequence[int], network: bool, lite: bool) -> list[Scores]:
    """Score a generator's songs, on all cores."""
    with get_context("spawn").Pool() as pool:
        return pool.map(partial(measure_song, generator, network, lite), seeds, chunksize=1)


def means(rows: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, NDArray[np.float64]]:
    """Return the mean scores by method."""
    methods = dict.fromkeys(name for row in rows for name in row)
    return {
        name: np.nanmean([row[name] for row in rows if name in row], axis=0) for name in methods
    }


def main() -> None:
    """Measure everything and publish the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--generator", choices=(*GENERATORS, "sung"), action="append")
    parser.add_argument("--network", action="store_true", help="chords by network too")
    parser.add_argument("--lite", action="store_true", help="singing from the mix by lite too")
    options = parser.parse_args()
    if options.network and not is_installed():
        parser.error("--network: install mashup-worker[chords]")
    seeds = range(options.first_seed, options.first_seed + options.songs)
    found = {
        generator: measure(generator, seeds, options.network, options.lite)
        for generator in options.generator or dict.fromkeys((*GENERATORS, *SINGERS))
    }
    publish("form", f"Seeds {seeds[0]} to {seeds[-1]}.", *_tables(found))


def _tables(found: Mapping[str, Sequence[Scores]]) -> list[str]:
    sections, chords, singing, roles = [], [], [], []
    for generator, scores in found.items():
        for method, mean in means([one.sections for one in scores]).items():
            sections.append([generator, method, *(f"{value:.3f}" for value in mean)])
        for method, mean in means([one.chords for one in scores]).items():
            chords.append([generator, method, *(f"{value:.3f}" for value in mean)])
        for view, mean in means([{k: [v] for k, v in one.roles.items()} for one in scores]).items():
            roles.append([generator, view, f"{mean[0]:.3f}"])
        for method in dict.fromkeys(name for one in scores for name in one.singing):
            sung = [one.singing[method] for one in scores if one.is_sung and method in one.singing]
            if sung:
                count = f"{len(sung)}"
                singing.append([generator, method, count, *_spread(sung)])
    return [
        "## Sections",
        table(SECTION_HEADINGS, sections),
        "## Chords, weighted accuracy",
        table(("songs", "method", "roots", "major and minor"), chords),
        "## Singing, F of frames",
        table(("songs", "vocals", "songs with singing", "mean", "median", "lowest"), singing),
        "## Roles, share of the time",
        table(("songs", "from", "right"), roles),
    ]


def _spread(values: Sequence[float]) -> list[str]:
    return [f"{fold(values):.3f}" for fold in (np.mean, np.median, np.min)]


if __name__ == "__main__":
    main()
