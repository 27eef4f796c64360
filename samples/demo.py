"""Separates the sample songs with the installed command, and writes a report to listen to.

Run it with `make demo`. The stems are compared with the true ones that `render.py` made.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from mashup_worker.audio.decode import decode
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.dsp.metrics import si_sdr_db
from mashup_worker.report.content import Report, SongSection, Track
from mashup_worker.report.page import write_report

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio

SAMPLES = Path(__file__).parent


def main() -> None:
    """Separate, measure, print the table and the path of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output"))
    arguments = parser.parse_args()

    mixes = sorted(SAMPLES.glob("*/mix.flac"))
    sections = [
        section(mix, result)
        for mix, result in zip(
            mixes, separate(mixes, arguments.model, arguments.output_dir), strict=True
        )
    ]
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table(sections))
    page = arguments.output_dir / "report.html"
    write_report(report(sections), page)
    console.print("Listen, look, mute and solo:")
    # Printed whole and on its own, so that it can be copied.
    print(page.resolve())


def separate(mixes: list[Path], model: str, output_dir: Path) -> list[dict[str, Any]]:
    """What `mashup separate --json` says of each song; its stems lie in `output_dir`."""
    command = [sys.executable, "-m", "mashup_worker", "separate", "--json", "--model", model]
    command += ["--output-dir", str(output_dir), *map(str, mixes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    by_input = {Path(line["input"]): line for line in map(json.loads, done.stdout.splitlines())}
    return [by_input[mix] for mix in mixes]


def section(mix: Path, result: dict[str, Any]) -> SongSection:
    """A song of the report: its stems beside the true ones."""
    truth = json.loads((mix.parent / "truth.json").read_text(encoding="utf-8"))
    mixed = decode(mix)
    stems = []
    for stem in result["stems"]:
        path = Path(stem["path"])
        si_sdr = gain = None
        if stem["kind"] in truth["stems"]:  # no sample has, say, a guitar of its own
            estimate = decode(path)
            true = like(decode(mix.parent / truth["stems"][stem["kind"]]), estimate)
            si_sdr = si_sdr_db(estimate.samples, true)
            gain = si_sdr - si_sdr_db(mixed.samples, true)
        loudness = stem["loudness_lufs"]
        stems.append(Track(stem["kind"], path, stem["duration_s"], loudness, si_sdr, gain))
    return SongSection(
        name=truth["title"],
        model=result["model"],
        model_note="preview model" if result["preview"] else "",
        device=result["device"],
        precision=result["precision"],
        duration_s=result["duration_s"],
        elapsed_s=result["elapsed_s"],
        mix=Track("mix", mix, mixed.duration_s, integrated_lufs(mixed)),
        stems=tuple(stems),
    )


def like(true: Audio, estimate: Audio) -> Tensor:
    """The true stem at the length of the estimate: Vorbis rounds lengths up to whole packets."""
    return F.pad(true.samples, (0, estimate.length_samples - true.length_samples))


def table(sections: list[SongSection]) -> Table:
    """All stems: how long, how loud, how close to the truth, how fast."""
    out = Table()
    out.add_column("song", no_wrap=True)
    out.add_column("stem")
    for heading in ("duration", "loudness", "SI-SDR", "over mix", "seconds", "x real time"):
        out.add_column(heading, justify="right")
    for song in sections:
        for index, stem in enumerate(song.stems):
            out.add_row(
                song.name if index == 0 else "",
                stem.kind,
                f"{stem.duration_s:.1f} s",
                figure(stem.loudness_lufs, "LUFS"),
                figure(stem.si_sdr_db, "dB"),
                figure(stem.si_sdr_gain_db, "dB"),
                f"{song.elapsed_s:.1f}" if index == 0 else "",
                f"{song.duration_s / song.elapsed_s:.1f}" if index == 0 else "",
                end_section=index == len(song.stems) - 1,
            )
    return out


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit, or a dash where there is none."""
    return f"{value:.1f} {unit}" if value is not None and math.isfinite(value) else "-"


def report(sections: list[SongSection]) -> Report:
    """The report of these songs."""
    notes = [
        "SI-SDR says how close a stem comes to the true one; the gain is how much closer than the "
        "mix itself.",
    ]
    if any(song.model_note for song in sections):
        notes.append(
            "These stems come from lite, a preview model that needs no download. Other models: "
            "make demo MODEL=htdemucs"
        )
    return Report(
        title="Stems of the sample songs",
        subtitle=f"mashup separate, {datetime.now().astimezone():%d %B %Y, %H:%M}",
        songs=tuple(sections),
        notes=tuple(notes),
    )


if __name__ == "__main__":
    main()
