"""Quality, speed and size of the preview model `lite`, as tables.

    python -m benchmarks.lite [--voice FILE] [--device cpu] [--precision auto]

Quality is measured on the songs of `samples/`: SI-SDR of every stem against the truth and, with
`--voice`, of a recorded voice that is brought to the loudness of each song's instrumental and laid
over it. Speed is that of the whole `stream` over 60 s of stereo, warm. Memory is the peak of a
process that separates ten minutes, beyond that after loading the model and a short song.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from benchmarks.results import publish, table
from mashup_worker.audio.decode import decode
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.bench.measure import host_peak_bytes
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.dsp.metrics import si_sdr_db
from mashup_worker.models.lite.separator import LiteSeparator, load_lite

ROOT = Path(__file__).parents[1]
RATE_HZ = 44_100
SPEED_S = 60
MEMORY_S = 600
REPEATS = 9
COMMANDS = 5


class Noise:
    """Stereo noise of any length that is never in memory as a whole."""

    sample_rate = RATE_HZ
    channels = 2

    def __init__(self, duration_s: int) -> None:
        self.length_samples = duration_s * RATE_HZ

    def read(self, start: int, stop: int) -> Tensor:
        """Fresh noise."""
        return 0.1 * torch.randn(2, stop - start)


def read_stereo(path: Path) -> Tensor:
    """The file's samples at 44.1 kHz, shape `(2, samples)`."""
    return resample(decode(path), RATE_HZ).samples.expand(2, -1)


def separate(model: LiteSeparator, samples: Tensor) -> dict[str, Tensor]:
    """The stems by kind."""
    blocks = list(model.stream(Audio(samples.contiguous(), RATE_HZ)))
    return dict(zip(model.stems, torch.cat(blocks, dim=-1), strict=True))


def lay_over(voice: Tensor, instrumental: Tensor) -> tuple[Tensor, Tensor]:
    """A mix of both at equal loudness as long as the shorter, and the voice in it."""
    length = min(voice.shape[1], instrumental.shape[1])
    voice, instrumental = voice[:, :length], instrumental[:, :length]
    voice_lufs = integrated_lufs(Audio(voice, RATE_HZ))
    instrumental_lufs = integrated_lufs(Audio(instrumental, RATE_HZ))
    if voice_lufs is None or instrumental_lufs is None:
        raise SystemExit("voice or instrumental is silent")
    voice = voice * 10 ** ((instrumental_lufs - voice_lufs) / 20)
    return voice + instrumental, voice


def quality_table(model: LiteSeparator, voice: Tensor | None) -> str:
    """SI-SDR in dB before and after separation, a row for each song."""
    kinds = [*model.stems, *(["voice over it"] if voice is not None else [])]
    rows = []
    for mix_file in sorted((ROOT / "samples").glob("*/mix.flac")):
        mix = read_stereo(mix_file)
        truth = {kind: read_stereo(mix_file.with_name(f"{kind}.ogg")) for kind in model.stems}
        cases = {kind: (mix, truth[kind], stem) for kind, stem in separate(model, mix).items()}
        if voice is not None:
            instrumental = truth["drums"] + truth["bass"] + truth["other"]
            voiced, placed = lay_over(voice, instrumental)
            cases["voice over it"] = voiced, placed, separate(model, voiced)["vocals"]
        cells = [
            f"{si_sdr_db(before, true):.1f} → {si_sdr_db(after, true):.1f}"
            for before, true, after in (cases[kind] for kind in kinds)
        ]
        rows.append([mix_file.parent.name, *cells])
    return table(["song", *kinds], rows)


def speed(model: LiteSeparator) -> list[str]:
    """Seconds for a minute of stereo: p50, p95, and times real time."""
    seconds = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        for _block in model.stream(Noise(SPEED_S)):
            pass
        seconds.append(time.perf_counter() - begin)
    p50, p95 = statistics.median(seconds[1:]), statistics.quantiles(seconds[1:], n=20)[-1]
    return [f"{p50:.2f}", f"{p95:.2f}", f"{SPEED_S / p50:.1f}"]


def command_row() -> list[str]:
    """Times of the whole command: process start, FLAC in, four FLAC stems out."""
    mixes = [read_stereo(path) for path in sorted((ROOT / "samples").glob("*/mix.flac"))]
    song = torch.cat(mixes * 3, dim=1).T.numpy()
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "song.flac")
        soundfile.write(path, song, RATE_HZ)
        command = [sys.executable, "-m", "mashup_worker", "separate", str(path), "-q"]
        command += ["--model", "lite", "--device", "cpu", "--output-dir", folder]
        for _ in range(COMMANDS):
            begin = time.perf_counter()
            subprocess.run(command, check=True)
            seconds.append(time.perf_counter() - begin)
    p50, duration_s = statistics.median(seconds), len(song) / RATE_HZ
    return [f"{duration_s:.0f} s", f"{p50:.1f}", f"{max(seconds):.1f}", f"{duration_s / p50:.1f}"]


def peak_growth_bytes(device: str, precision: str) -> int:
    """What ten minutes add to this process's peak; run it in a process of its own."""
    model = load_lite(device, precision)
    peaks = []
    for duration_s in (1, MEMORY_S):
        for _block in model.stream(Noise(duration_s)):
            pass
        peaks.append(host_peak_bytes())
    return peaks[1] - peaks[0]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--voice", type=Path, help="a recorded voice to lay over the songs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        growth_bytes = pool.apply(peak_growth_bytes, (options.device, options.precision))
    model = load_lite(options.device, options.precision)
    voice = read_stereo(options.voice) if options.voice else None
    headings = ("device", "precision", "threads", "p50 s", "p95 s", "x real time", "memory")
    threads = str(torch.get_num_threads())
    memory = f"{growth_bytes / 1e6:.0f} MB"
    row = [model.device, model.precision, threads, *speed(model), memory]
    publish(
        "lite",
        "`lite` is a preview model. SI-SDR in dB of the mix taken as the stem → of the stem:",
        quality_table(model, voice),
        "A minute of stereo, warm; memory is what ten minutes add to the process:",
        table(headings, [row]),
        "The whole command, process start and FLAC in and out included:",
        table(("song", "p50 s", "slowest s", "x real time"), [command_row()]),
    )


if __name__ == "__main__":
    main()
