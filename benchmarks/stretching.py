"""How well every stretching engine keeps attacks, chords and voices, and how fast it is.

    python -m benchmarks.stretching

Hits, chords and voices come from `benchmarks.hits_and_chords`, each from seeds of its own: those of
the first table may be looked at while engines are worked on, those of the second decide.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks import hits_and_chords as sounds
from benchmarks.results import publish, table
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stft import stft
from mashup_worker.dsp.stretch.choose import ENGINES, choose_engine, find_engine
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.rubberband import RubberBand
from mashup_worker.dsp.stretch.time_map import TimeMap
from synth.core import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.hits_and_chords import Hits
    from mashup_worker.dsp.stretch.engine import StretchEngine

RATIOS = (0.8, 0.9, 1.1, 1.25)
SEMITONES = (-2.0, 2.0)
MAPS = (sounds.even, sounds.uneven)
TUNING_SEEDS = range(3)
FINAL_SEEDS = range(200, 203)
REFERENCE = "rubberband-r3"

MOST_JITTER_MS = 2.0
MOST_PRE_ECHO_DB = -25.0
MOST_CONVERGENCE_RATIO = 1.5

HEADINGS = (
    "engine",
    "jitter ms",
    "in grooves ms",
    "pre-echo dB",
    "chords (of R3)",
    "uneven",
    "side",
    "pitch",
    "formants",
    "exact length",
)

_ECHO_S = 0.020
_BESIDE_S = 0.002
_SEARCH_S = 0.015
_STEP_S = 0.0005
_THRESHOLD = 0.2
_FLOOR = 1e-9

_WINDOW_SAMPLES = 2048
_SPEED_S = 24.0
_ROUNDS = 3


@dataclass(frozen=True)
class Figures:
    """What one engine did with the sounds of some seeds.

    Attributes:
        jitter_ms: 95th percentile of how far onsets of single hits lie from where they belong.
        groove_jitter_ms: the same where hits overlap, of those that stand out by 10 dB.
        pre_echo_db: 95th percentile of the energy in the 20 ms before hits, against that of the
            20 ms after.
        chords: mean spectral convergence on chords: the norm of the error of the magnitudes over
            that of the magnitudes, 0 at best.
        uneven: the same where the ratio changes from beat to beat.
        pitch: the same where chords are moved by `SEMITONES`.
        side: the same for the difference of the channels, which shows errors of their phase.
        formants: the same on a voice that is moved by `SEMITONES` and is to keep its formants.
        exact: whether all came out as long as they should.
    """

    jitter_ms: float
    groove_jitter_ms: float
    pre_echo_db: float
    chords: float
    uneven: float
    pitch: float
    side: float
    formants: float
    exact: bool


def jitter_ms(hits: Hits, copy: Audio, time_map: TimeMap) -> list[float]:
    """How far each onset is from where the map takes it, on either side.

    Hits that do not stand out from what sounds before them have no onset to be heard: they are left
    out, for every engine.
    """
    onsets = hits.onsets[_stands_out(hits)]
    expected = time_map.target_at(onsets)
    before = _heard(hits.audio, onsets.double()) - onsets
    after = _heard(copy, expected) - expected
    ms: list[float] = (1000 / copy.sample_rate * (after - before).abs()).tolist()
    return ms


def pre_echo_db(hits: Hits, copy: Audio, time_map: TimeMap) -> list[float]:
    """Energy before each hit against that of the hit."""
    energy = copy.samples.double().square().sum(0)
    echo, beside = round(_ECHO_S * copy.sample_rate), round(_BESIDE_S * copy.sample_rate)
    levels = []
    for at in time_map.target_at(hits.onsets).round().long().tolist():
        before = energy[max(0, at - echo) : max(0, at - beside)].sum()
        hit = energy[at : at + echo].sum().clamp_min(1e-12)
        levels.append(10 * float(torch.log10(before / hit + _FLOOR)))
    return levels


def convergence(copy: Tensor, wanted: Tensor) -> float:
    """Spectral convergence; both of shape `(channels, samples)`."""
    length = min(copy.shape[1], wanted.shape[1])
    window = torch.hann_window(_WINDOW_SAMPLES)
    hop = _WINDOW_SAMPLES // 4
    got, ideal = (stft(one[:, :length], window, hop).abs() for one in (copy, wanted))
    return float(torch.linalg.vector_norm(got - ideal) / torch.linalg.vector_norm(ideal))


def _heard(audio: Audio, near: Tensor) -> Tensor:
    """Where near a sample the energy first exceeds a fifth of its most."""
    energy, reach = _energy(audio), round(_SEARCH_S * audio.sample_rate)
    heard = []
    for at in near.round().long().tolist():
        first = max(0, at - reach)
        span = energy[first : at + reach]
        heard.append(first + int(np.argmax(span > _THRESHOLD * span.max())))
    return torch.tensor(heard, dtype=torch.float64)


def _stands_out(hits: Hits) -> Tensor:
    """Whether before hits the energy stays below half of what `_heard` goes by."""
    energy, sample_rate = _energy(hits.audio), hits.audio.sample_rate
    reach, step = round(_SEARCH_S * sample_rate), round(_STEP_S * sample_rate)
    return torch.tensor(
        [
            energy[max(0, at - reach) : at - step].max()
            < _THRESHOLD / 2 * energy[at:][:reach].max()
            for at in hits.onsets.tolist()
        ]
    )


def _energy(audio: Audio) -> NDArray[np.float64]:
    """Energy of the half millisecond that ends with each sample, high frequencies raised."""
    raised = audio.samples.double().diff(dim=1).square().sum(0).numpy()
    return np.convolve(raised, np.ones(round(_STEP_S * audio.sample_rate)))[: len(raised)]


class _Trial:
    """An engine at work, and whether all that it gave was as long as it should be."""

    def __init__(self, engine: StretchEngine) -> None:
        self._engine = engine
        self.exact = True

    def stretch(self, audio: Audio, change: Change) -> Audio:
        copy = self._engine.stretch(audio, change)
        self.exact &= copy.length_samples == change.time_map.target_samples
        return copy


def measure(engine: StretchEngine, seeds: Sequence[int]) -> Figures:
    """Stretch and shift the sounds of some seeds."""
    trial = _Trial(engine)
    worst, means = _attacks(trial, seeds), _tones(trial, seeds)
    return Figures(
        **{name: float(np.percentile(values, 95)) for name, values in worst.items()},
        **{name: float(np.mean(values)) for name, values in means.items()},
        exact=trial.exact,
    )


def _attacks(trial: _Trial, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Return the figures measured on hits, by name."""
    told: dict[str, list[float]] = defaultdict(list)
    for seed, time_map in product(seeds, [make(ratio) for ratio in RATIOS for make in MAPS]):
        hits, busy = sounds.single_hits(seed), sounds.groove(seed)
        copy = trial.stretch(hits.audio, Change(time_map))
        told["jitter_ms"] += jitter_ms(hits, copy, time_map)
        told["pre_echo_db"] += pre_echo_db(hits, copy, time_map)
        copy = trial.stretch(busy.audio, Change(time_map))
        told["groove_jitter_ms"] += jitter_ms(busy, copy, time_map)
    return told


def _tones(trial: _Trial, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Return the figures measured on chords and voices, by name."""
    told: dict[str, list[float]] = defaultdict(list)
    still = sounds.even(1.0)
    for seed, ratio, make in product(seeds, RATIOS, MAPS):
        change = Change(make(ratio))
        copy = trial.stretch(sounds.chords(seed, still), change).samples
        wanted = sounds.chords(seed, change.time_map).samples
        told["chords" if make is sounds.even else "uneven"].append(convergence(copy, wanted))
        told["side"].append(convergence(copy.diff(dim=0), wanted.diff(dim=0)))
    for seed, semitones in product(seeds, SEMITONES):
        for name, make_sound in (("pitch", sounds.chords), ("formants", sounds.voice)):
            change = Change(still, semitones, keep_formants=name == "formants")
            copy = trial.stretch(make_sound(seed, still), change).samples
            told[name].append(convergence(copy, make_sound(seed, still, semitones).samples))
    return told


def times_real_time(engine: StretchEngine) -> float:
    """Seconds of stereo that are stretched to 1.1 a second, on one core."""
    still = sounds.even(1.0)
    mix = sounds.chords(0, still).samples + sounds.groove(0).audio.samples
    audio = Audio(mix.repeat(1, round(_SPEED_S / sounds.DURATION_S)), RATE_HZ)
    change = Change(TimeMap.constant(audio.length_samples, 1.1))
    taken = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        engine.stretch(audio, change)
        taken.append(time.perf_counter() - start)
    return _SPEED_S / statistics.median(taken[1:])


@contextmanager
def _one_core() -> Iterator[None]:
    """Run this process and its children on one core."""
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)


def figures_table(figures: Mapping[str, Figures]) -> str:
    """A row for each engine."""
    reference = figures[REFERENCE].chords
    rows = [
        [
            f"`{name}`",
            f"{one.jitter_ms:.2f}",
            f"{one.groove_jitter_ms:.2f}",
            f"{one.pre_echo_db:.0f}",
            f"{one.chords:.3f} ({one.chords / reference:.2f})",
            *(f"{value:.3f}" for value in (one.uneven, one.side, one.pitch, one.formants)),
            _yes(one.exact),
        ]
        for name, one in figures.items()
    ]
    return table(HEADINGS, rows)


def marks_table(figures: Mapping[str, Figures]) -> str:
    """Return a table of the figures of the engines that `auto` picks, beside their limits."""
    drums, rest = (choose_engine("auto", kind).name for kind in ("drums", "other"))
    attacks, tones = figures[drums], figures[rest]
    ratio = tones.chords / figures[REFERENCE].chords
    checks = [
        (drums, "jitter", attacks.jitter_ms, MOST_JITTER_MS, " ms"),
        (drums, "jitter in grooves", attacks.groove_jitter_ms, MOST_JITTER_MS, " ms"),
        (drums, "pre-echo", attacks.pre_echo_db, MOST_PRE_ECHO_DB, " dB"),
        (rest, "chords, times R3's", ratio, MOST_CONVERGENCE_RATIO, ""),
    ]
    rows = [
        [
            f"`{name}`",
            what,
            f"{got:.2f}{unit}",
            f"{most:g}{unit}",
            "yes" if got <= most else "**no**",
        ]
        for name, what, got, most, unit in checks
    ]
    return table(("`auto` picks", "figure", "measured", "at most", "kept"), rows)


def main() -> None:
    """Measure and publish."""
    if not RubberBand.available():
        raise SystemExit("the table compares with Rubber Band: install rubberband-cli")
    engines = [find_engine(name) for name in ENGINES if name != "rubberband"]
    told = {}
    with _one_core():
        for title, seeds in (("Tuning", TUNING_SEEDS), ("Final", FINAL_SEEDS)):
            told[title] = {one.name: measure(one, seeds) for one in engines}
        speeds = [[f"`{one.name}`", f"{times_real_time(one):.1f}"] for one in engines]
    ratios = ", ".join(map(str, RATIOS))
    publish(
        "stretching",
        f"{sounds.DURATION_S:.0f} s of sound a seed, stretched to {ratios} times its length, "
        "evenly and from beat to beat; chords and voices moved by two semitones up and down.",
        f"## Final seeds, {_span(FINAL_SEEDS)}",
        figures_table(told["Final"]),
        marks_table(told["Final"]),
        f"## Tuning seeds, {_span(TUNING_SEEDS)}",
        figures_table(told["Tuning"]),
        marks_table(told["Tuning"]),
        "## Speed",
        f"{_SPEED_S:.0f} s of stereo at 44.1 kHz to 1.1, on one core, warm, in memory at both "
        f"ends; median of {_ROUNDS}.",
        table(("engine", "times real time"), speeds),
    )


def _yes(kept: bool) -> str:
    return "yes" if kept else "**no**"


def _span(seeds: range) -> str:
    return f"{seeds.start} to {seeds.stop - 1}"


if __name__ == "__main__":
    main()
