"""The Demucs engine beside `demucs.api.Separator`, at full size: are they equal, and how fast?

    python -m benchmarks.parity [--device cuda]

Both run on the same checkpoint with random weights, with `shifts=0` and an overlap of 0.25.
"""

from __future__ import annotations

import argparse
import operator
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demucs.api import Separator as Reference

from benchmarks.devices import add_device_option
from benchmarks.results import publish, table
from mashup_worker.audio.signal import Audio
from mashup_worker.bench.memory import PeakMemory
from mashup_worker.bench.networks import random_htdemucs, save_repository
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.models.demucs_engine import DemucsSeparator, EngineOptions
from mashup_worker.models.device import resolve_device
from mashup_worker.models.repository import load_bag

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

RATE_HZ = 44_100
DURATION_S = 23
ROUNDS = 3


def main() -> None:
    """Measure, print, and write `benchmarks/results/parity.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_device_option(parser)
    device = resolve_device(parser.parse_args().device)
    with tempfile.TemporaryDirectory() as name:
        save_repository(Path(name), random_htdemucs())
        measured = measure(Path(name), device, music(DURATION_S), ROUNDS)
    publish(
        "parity",
        f"A song of {DURATION_S} s, warm, {ROUNDS} rounds in turn; differences are shares of the "
        "reference's peak, SNR is against the engine in fp32.",
        measured,
        device=device,
    )


def measure(
    folder: Path, device: torch.device, mix: Audio, rounds: int, batch: int | None = None
) -> str:
    """Return the table: both engines on the checkpoint `random` of a folder."""
    cuda = device.type == "cuda"
    runs = {"demucs.api, fp32": reference(folder, mix, device)}
    for precision in ("fp32", "bf16", "fp16") if cuda else ("fp32", "bf16"):
        runs[f"engine, {precision}"] = engine(
            folder, mix, EngineOptions(str(device), precision, batch=batch)
        )
    results, peaks = {}, {}
    for label, run in runs.items():
        with PeakMemory(device) as peak:
            results[label] = run()
        peaks[label] = peak.device_bytes
    seconds: dict[str, list[float]] = {label: [] for label in runs}
    for _ in range(rounds):
        for label, run in runs.items():
            start = time.perf_counter()
            run()  # the stems end in host memory, so the device has finished
            seconds[label].append(time.perf_counter() - start)
    expected, exact, *_ = results.values()
    headings = ("run", "median s", "x real time", "x reference", "largest difference", "SNR")
    rows = []
    for label, made in results.items():
        median_s = statistics.median(seconds[label])
        ratios = map(operator.truediv, seconds["demucs.api, fp32"], seconds[label])
        difference = float((made - expected).abs().max() / expected.abs().max())
        row = (
            label,
            f"{median_s:.3g}",
            f"{mix.duration_s / median_s:.3g}",
            f"{statistics.median(ratios):.2f}",
            f"{difference:.1e}",
            f"{snr_db(made, exact):.1f} dB",
        )
        rows.append((*row, f"{(peaks[label] or 0) / 2**20:.0f}") if cuda else row)
    return table((*headings, "device memory, MiB") if cuda else headings, rows)


def reference(folder: Path, mix: Audio, device: torch.device) -> Callable[[], Tensor]:
    """The stems as `demucs.api` makes them, shape `(stems, channels, samples)`."""
    separator = Reference("random", repo=folder, device=str(device), shifts=0)
    return lambda: torch.stack([*separator.separate_tensor(mix.samples.clone())[1].values()])


def engine(folder: Path, mix: Audio, options: EngineOptions) -> Callable[[], Tensor]:
    """The stems as the engine makes them, shape `(stems, channels, samples)`."""
    separator = DemucsSeparator("random", load_bag("random", folder), options)
    if separator.device.startswith("cuda"):
        separator.warm_up()
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
