"""Fit the weights of the evidence for meter and key.

Renders songs of the first generator whose seeds no measurement uses, eight times as many loops of a
drum machine, and a third as many metronomes; takes the evidence from each in several views (the
mix; the stems or a remix of other levels; some with one stem alone; for keys also an excerpt); and
fits by maximum likelihood of the true hypothesis. Keys are fitted to the songs only, since the
harmony of loops is too simple. It writes `mashup_worker/analysis/weights.json`.

    python -m benchmarks.fit --songs 200
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mashup_worker.analysis import key_names, keys, meter
from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, find_onsets
from mashup_worker.analysis.pulse import find_pulse
from mashup_worker.analysis.result import DEFAULT_OPTIONS
from mashup_worker.analysis.rhythm import possible_meters
from mashup_worker.analysis.tempogram import tempogram
from mashup_worker.analysis.weights import MAX_EVIDENCE
from mashup_worker.pipelines.analysis.inputs import AnalysisInput, MonoDownmix
from mashup_worker.pipelines.analysis.steps import to_chroma_rate
from synth.bandstand import generate
from synth.loops import loop
from synth.metronomes import metronome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.chroma import Chroma
    from synth.song import Song, Truth

WEIGHTS = Path(meter.__file__).with_name("weights.json")
FIRST_SEED = 1000
"""Seeds below are for measuring."""

_REMIXED, _ALONE, _DRUMS = 0.5, 0.3, 0.4
_HIDDEN = 48
_FITS = 3
_STEPS = 1800
_SONGS_PER_STEP = 64
_NOISE = 0.2
_NOISE_VALUES = 5_000_000
_MISSING = 0.1
_KEY_DECAY = 0.01
_PITCH_CLASSES = {name: i for i, name in enumerate(key_names.MAJOR_TONICS)} | {
    "C#": 1, "D#": 3, "Gb": 6, "G#": 8, "A#": 10, "Cb": 11,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Example:
    """Evidence for one view of a song.

    Attributes:
        meters: evidence of possible meters, shape `(hypotheses, features)`.
        right: which of them are true.
        keys: of the 24 keys by profile, shape `(24, features)` each.
        key: index of the true key.
    """

    meters: Array
    right: NDArray[np.bool_]
    keys: Mapping[str, Array]
    key: int | None


def examples_of(sounds: Mapping[str, torch.Tensor], truth: Truth, seed: int) -> list[Example]:
    """Evidence of all views of a song, given its stems as mono sound at the onsets' rate."""
    rng = np.random.default_rng(seed)
    mix = torch.stack(list(sounds.values())).sum(dim=0)
    views = [AnalysisInput.of_mix(mix)]
    if rng.random() < _REMIXED:
        remix = sum(10 ** (rng.normal(0, 4) / 20) * sound for sound in sounds.values())
        views.append(AnalysisInput.of_mix(torch.as_tensor(remix)))
    else:
        views.append(AnalysisInput.of_stems(sounds))
    if rng.random() < _ALONE:
        kind = "drums" if "drums" in sounds and rng.random() < _DRUMS else rng.choice(list(sounds))
        views.append(AnalysisInput.of_mix(sounds[kind]))
    length = len(mix)
    start, stop = int(rng.uniform(0, 0.3) * length), int(rng.uniform(0.6, 0.95) * length)
    excerpt = _harmony(AnalysisInput.of_mix(mix[start:stop]))
    return [
        *(_example(view, truth) for view in views),
        Example(np.zeros((0, 0)), np.zeros(0, bool), _key_evidence(excerpt), _key(truth)),
    ]


def _example(sounds: AnalysisInput, truth: Truth) -> Example:
    onsets = find_onsets(sounds.rhythm)
    tempi = tempogram(onsets.groups, FRAME_RATE_HZ)
    pulse = find_pulse(onsets, tempi)
    harmony = _harmony(sounds)
    nothing = Example(np.zeros((0, 0)), np.zeros(0, bool), _key_evidence(harmony), _key(truth))
    if pulse is None:
        return nothing
    scored = possible_meters(onsets, tempi, harmony, pulse=pulse, options=DEFAULT_OPTIONS)
    right = np.array([_is_right(pulse.instants, one, truth) for one in scored.meters])
    return Example(scored.evidence, right, nothing.keys, nothing.key)


def _is_right(pulse: Array, one: meter.Meter, truth: Truth) -> bool:
    if abs(one.beats.tempo_bpm / truth.tempo_bpm - 1) > 0.01:
        return False
    if one.beats_per_bar != truth.beats_per_bar:
        return False
    bar_s = one.beats_per_bar * 60 / truth.tempo_bpm
    first = meter.instants(pulse, np.array([one.beats.offset + one.first * one.beats.level]))
    away = np.array(truth.downbeats_s) - float(first[0]) / FRAME_RATE_HZ
    return abs(float(np.median((away + bar_s / 2) % bar_s - bar_s / 2))) < 0.05


def _harmony(sounds: AnalysisInput) -> Chroma:
    return chroma(to_chroma_rate(sounds.harmony))


def _key_evidence(harmony: Chroma) -> dict[str, Array]:
    treble, bass = harmony.treble.double().numpy(), harmony.bass.double().numpy()
    if treble.max() <= 0:
        return {name: np.zeros((24, len(keys.FEATURES))) for name in keys.PROFILES}
    return {name: keys.evidence(treble, bass, name) for name in keys.PROFILES}


def _key(truth: Truth) -> int | None:
    if truth.key is None:
        return None
    tonic, mode = truth.key.split()
    return _PITCH_CLASSES[tonic] + (12 if mode == "minor" else 0)


def fit_keys(examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Weights by profile and feature."""
    known = [one for one in examples if one.key is not None]
    target = torch.tensor([one.key for one in known])
    out = {}
    for name in keys.PROFILES:
        rows = torch.tensor(np.stack([one.keys[name] for one in known])).float()
        fitted = _fit_linear(rows, target)
        out[name] = dict(zip(keys.FEATURES, _rounded(fitted.tolist()), strict=True))
    return out


def _fit_linear(rows: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Weights whose sums make the right rows likely, from `(songs, rows, features)`."""
    scale = rows.flatten(0, 1).std(dim=0) + 1e-9
    weights = torch.zeros(rows.shape[-1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(rows / scale @ weights, target)
        value = value + _KEY_DECAY * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weights.detach() / scale


def fit_meter(*groups: Sequence[Example]) -> dict[str, Any]:
    """Parameters of the scores in `mashup_worker.analysis.weights`; each group counts the same.

    The scores are the mean of several fits from different starts, because single fits decide
    songs with two likely tempi by chance.
    """
    usable = [[one for one in group if one.right.any()] for group in groups]
    chances = torch.tensor([1 / len(group) for group in usable for _ in group])
    flat = [one for group in usable for one in group]
    rows = torch.tensor(np.concatenate([one.meters for one in flat])).float()
    mean, scale = rows.mean(dim=0), rows.std(dim=0) + 1e-3
    rows = ((rows - mean) / scale).clamp(-MAX_EVIDENCE, MAX_EVIDENCE)
    parts = rows.split([len(one.right) for one in flat])
    songs = [(part, torch.tensor(one.right)) for part, one in zip(parts, flat, strict=True)]
    fits = [_fit_scores(songs, chances, seed) for seed in range(_FITS)]
    tensors = {
        "mean": mean,
        "scale": scale,
        "linear": torch.stack([one.linear.weight[0] for one in fits]).mean(dim=0),
        "hidden": torch.cat([one.hidden.weight for one in fits]),
        "hidden_bias": torch.cat([one.hidden.bias for one in fits]),
        "out": torch.cat([one.out.weight[0] for one in fits]) / _FITS,
    }
    return {name: _rounded(tensor.tolist()) for name, tensor in tensors.items()}


class _Scores(torch.nn.Module):
    """Scores of meters by their evidence, shape `(meters, features)` to `(meters,)`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(features, 1, bias=False)
        self.hidden = torch.nn.Linear(features, _HIDDEN)
        self.out = torch.nn.Linear(_HIDDEN, 1, bias=False)
        for start_at_zero in (self.linear.weight, self.out.weight):
            torch.nn.init.zeros_(start_at_zero)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        dropped = torch.nn.functional.dropout(torch.tanh(self.hidden(rows)), 0.1)
        scores: torch.Tensor = (self.linear(rows) + self.out(dropped))[:, 0]
        return scores


def _fit_scores(
    songs: Sequence[tuple[torch.Tensor, torch.Tensor]], chances: torch.Tensor, seed: int
) -> _Scores:
    torch.manual_seed(seed)
    scores_of = _Scores(songs[0][0].shape[1])
    optimizer = torch.optim.AdamW(scores_of.parameters(), lr=5e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    noise = _NOISE * torch.randn(_NOISE_VALUES)
    for _ in range(_STEPS):
        drawn = torch.multinomial(chances, _SONGS_PER_STEP, replacement=True)
        chosen = [songs[i] for i in drawn.tolist()]
        song = torch.cat([torch.full((len(right),), i) for i, (_, right) in enumerate(chosen)])
        right = torch.cat([right for _, right in chosen])
        scores = scores_of(torch.cat([_blurred(part, noise) for part, _ in chosen]))
        loss = (_log_sums(scores, song) - _log_sums(scores[right], song[right])).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return scores_of


def _blurred(evidence: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Evidence with noise, and with some features missing: no song must hang on a few of them."""
    kept = (torch.rand(evidence.shape[1]) >= _MISSING).float()
    # Parts of one long noise are much cheaper than new noise in each step.
    first = int(torch.randint(len(noise) - evidence.numel(), ()))
    part = noise[first : first + evidence.numel()].view_as(evidence)
    return (evidence + part) * kept


def _log_sums(scores: torch.Tensor, song: torch.Tensor) -> torch.Tensor:
    """Logarithm of the summed exponentials of each song's scores."""
    count = int(song.max()) + 1
    highest = torch.full((count,), -torch.inf).scatter_reduce(0, song, scores.detach(), "amax")
    sums = torch.zeros(count).index_add(0, song, torch.exp(scores - highest[song]))
    return sums.log() + highest


def _rounded(values: Any) -> Any:
    return [_rounded(v) for v in values] if isinstance(values, list) else float(f"{values:.4g}")


def _render(seed: int) -> list[Example]:
    return _of_song(generate(seed), seed)


def _loop(seed: int) -> list[Example]:
    return _of_song(loop(seed), seed)


def _metronome(seed: int) -> list[Example]:
    return _of_song(metronome(seed), seed)


def _of_song(song: Song, seed: int) -> list[Example]:
    torch.set_num_threads(1)
    sounds = {}
    for kind, stem in song.stems.items():
        downmix = MonoDownmix(stem.sample_rate, stem.channels)
        downmix.add(stem.samples)
        sounds[kind] = downmix.finish()
    return examples_of(sounds, song.truth, seed)


def write(played: Sequence[Example], looped: Sequence[Example]) -> None:
    """Fit and write the weights."""
    weights = {"key": fit_keys(played), "meter": fit_meter(played, looped)}
    WEIGHTS.write_text(json.dumps(weights, separators=(",", ":")) + "\n", encoding="utf-8")


def main() -> None:
    """Render, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=int, default=200)
    songs = parser.parse_args().songs
    with get_context("spawn").Pool() as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + songs)
        played = [one for song in pool.imap(_render, seeds) for one in song]
        looped = [one for song in pool.imap(_loop, range(8 * songs)) for one in song]
        looped += [one for song in pool.imap(_metronome, range(songs // 3)) for one in song]
    write(played, looped)


if __name__ == "__main__":
    main()
