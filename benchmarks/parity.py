"""The Demucs engine beside `demucs.api.Separator`, at full size: are they equal, and how fast?

    python -m benchmarks.parity

Both run on the same checkpoint with random weights, on the CPU, with `shifts=0` and an overlap of
0.25.
"""

from __future__ import annotations

import operator
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demucs.api import Separator as Reference

from benchmarks.results import publish, table
from mashup_worker.audio.signal import Audio
from mashup_worker.bench.networks import random_htdemucs, save_repository
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.models.demucs_engine import DemucsSeparator, EngineOptions
from mashup_worker.models.repository import load_bag

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

RATE_HZ = 44_100
DURATION_S = 23
ROUNDS = 3


def main() -> None:
    """Measure, print, and write `benchmarks/results/parity.md`."""
    mix = music(DURATION_S)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_repository(folder, random_htdemucs())
        runs = {
            "demucs.api, fp32": reference(folder, mix),
            "engine, fp32": engine(folder, mix, "fp32"),
            "engine, bf16": engine(folder, mix, "bf16"),
        }
        results = {label: run() for label, run in runs.items()}
        seconds: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(ROUNDS):
            for label, run in runs.items():
                start = time.perf_counter()
                run()
                seconds[label].append(time.perf_counter() - start)
    expected, exact, _ = results.values()
    headings = ("run", "median s", "x real time", "x reference", "largest difference", "SNR")
    rows = []
    for label, made in results.items():
        median_s = statistics.median(seconds[label])
        ratios = map(operator.truediv, seconds["demucs.api, fp32"], seconds[label])
        difference = float((made - expected).abs().max() / expected.abs().max())
        rows.append(
            (
                label,
                f"{median_s:.1f}",
                f"{DURATION_S / median_s:.1f}",
                f"{statistics.median(ratios):.2f}",
                f"{difference:.1e}",
                f"{snr_db(made, exact):.1f} dB",
            )
        )
    publish(
        "parity",
        f"A song of {DURATION_S} s, warm, {ROUNDS} rounds in turn; differences are shares of the "
        "reference's peak, SNR is against the engine in fp32.",
        table(headings, rows),
    )


def reference(folder: Path, mix: Audio) -> Callable[[], Tensor]:
    """The stems as `demucs.api` makes them, shape `(stems, channels, samples)`."""
    separator = Reference("random", repo=folder, device="cpu", shifts=0)
    return lambda: torch.stack([*separator.separate_tensor(mix.samples.clone())[1].values()])


def engine(folder: Path, mix: Audio, precision: str) -> Callable[[], Tensor]:
    """The stems as the engine makes them, shape `(stems, channels, samples)`."""
    options = EngineOptions(device="cpu", precision=precision)
    separator = DemucsSeparator("random", load_bag("random", folder), options)
    return lambda: torch.cat(list(separator.stream(mix)), dim=-1)


def music(duration_s: float) -> Audio:
    """Stereo tones with bursts of noise."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = 0.2 * torch.sin(2 * torch.pi * 220 * time_s)
    noise = 0.1 * torch.randn(2, len(time_s), generator=generator) * (time_s % 0.5 < 0.1)
    return Audio(torch.stack([tone, 0.5 * tone]) + noise, RATE_HZ)


if __name__ == "__main__":
    main()
