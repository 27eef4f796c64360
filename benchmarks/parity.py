"""The Demucs engine beside `demucs.api.Separator`, at full size: are they equal, and how fast?

    python -m benchmarks.parity

Both run on the same checkpoint with random weights, on the CPU, with `shifts=0` and an overlap of
0.25. The largest difference is a share of the reference's peak; SNR is against our fp32.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from demucs.api import Separator as Reference

from benchmarks.networks import save_repository
from benchmarks.results import publish, table
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.models.demucs_engine import DemucsSeparator, EngineOptions
from mashup_worker.models.repository import load_bag

RATE_HZ = 44_100
DURATIONS_S = (9, 23)


def main() -> None:
    """Measure, print, and write `benchmarks/results/parity.md`."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_repository(folder)
        reference = Reference("random", repo=folder, device="cpu", shifts=0)
        for duration_s in DURATIONS_S:
            mix = music(duration_s)
            start = time.perf_counter()
            stems = reference.separate_tensor(mix.samples.clone())[1]
            expected = torch.stack(list(stems.values()))
            reference_s = time.perf_counter() - start
            rows.append(row(duration_s, "demucs.api, fp32", reference_s, reference_s, "", ""))
            exact = expected
            for precision in ("fp32", "bf16"):
                options = EngineOptions(device="cpu", precision=precision)
                separator = DemucsSeparator("random", load_bag("random", folder), options)
                start = time.perf_counter()
                made = torch.cat(list(separator.stream(mix)), dim=-1)
                elapsed_s = time.perf_counter() - start
                if precision == "fp32":
                    exact = made
                difference = float((made - expected).abs().max() / expected.abs().max())
                snr = f"{snr_db(made, exact):.1f} dB" if precision != "fp32" else ""
                rows.append(
                    row(
                        duration_s,
                        f"engine, {precision}",
                        elapsed_s,
                        reference_s,
                        f"{difference:.1e}",
                        snr,
                    )
                )
    headings = ("song", "run", "seconds", "x reference's speed", "largest difference", "SNR")
    publish("parity", table(headings, rows))


def row(
    duration_s: float, run: str, elapsed_s: float, reference_s: float, difference: str, snr: str
) -> tuple[str, ...]:
    """One line of the table."""
    speed = f"{reference_s / elapsed_s:.2f}"
    return f"{duration_s} s", run, f"{elapsed_s:.1f}", speed, difference, snr


def music(duration_s: float) -> Audio:
    """Stereo tones with bursts of noise."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = 0.2 * torch.sin(2 * torch.pi * 220 * time_s)
    noise = 0.1 * torch.randn(2, len(time_s), generator=generator) * (time_s % 0.5 < 0.1)
    return Audio(torch.stack([tone, 0.5 * tone]) + noise, RATE_HZ)


if __name__ == "__main__":
    main()
