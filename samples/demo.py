"""Separates and analyzes the sample songs with the installed command, mixes two, writes pages.

Run it with `make demo`. Stems, tempo and key are compared with the true ones that `render.py` made.
"""

from __future__ import annotations

import argparse
import dataclasses
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

from mashup_worker.analysis.result import Analysis, KeyCandidate, TempoCandidate
from mashup_worker.audio.decode import decode
from mashup_worker.dsp.metrics import si_sdr_db
from samples.measurements import measurement_table
from samples.report.content import Report, ReportTrack, SongSection
from samples.report.page import write_report

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
    separated = separate(mixes, arguments.model, arguments.output_dir)
    analyzed = analyze(mixes)
    sections = [section(mix, separated[mix], analyzed[mix]) for mix in mixes]
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table(sections))
    console.print(music_table(mixes, sections))
    page = arguments.output_dir / "report.html"
    write_report(report(sections), page)
    console.print("Listen, look, mute and solo:")
    # Printed whole and on its own, so that it can be copied.
    print(page.resolve())
    mixed = arguments.output_dir / "mashup.mp3"
    console.print(mix_table(mix([mix.parent for mix in mixes], mixed)))
    console.print("The mashup, and a page about it:")
    print(mixed.resolve())
    print(mixed.with_suffix(".html").resolve())


def separate(mixes: list[Path], model: str, output_dir: Path) -> dict[Path, dict[str, Any]]:
    """What `mashup separate --json` says of each song; its stems lie in `output_dir`."""
    return mashup("separate", "--model", model, "--output-dir", str(output_dir), *map(str, mixes))


def analyze(mixes: list[Path]) -> dict[Path, Analysis]:
    """What `mashup analyze --json` says of each song."""
    documents = mashup("analyze", *map(str, mixes))
    return {mix: as_analysis(document["analysis"]) for mix, document in documents.items()}


def mix(songs: list[Path], target: Path) -> dict[str, Any]:
    """What `mashup mix --json` says of the two songs that `mashup match` finds best together."""
    best = lines("match", *map(str, songs))[0]["matches"][0]
    by_name = {song.name: str(song) for song in songs}
    page = str(target.with_suffix(".html"))
    pair = ["--vocals-of", by_name[best["vocal_song"]], "--over", by_name[best["backing_song"]]]
    return lines("mix", *pair, "--output", str(target), "--report", page)[0]


def mashup(command: str, *arguments: str) -> dict[Path, dict[str, Any]]:
    """The lines of JSON that a command prints, by their songs."""
    return {Path(line["input"]): line for line in lines(command, *arguments)}


def lines(command: str, *arguments: str) -> list[dict[str, Any]]:
    """The lines of JSON that a command prints."""
    call = [sys.executable, "-m", "mashup_worker", command, "--json", *arguments]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_analysis(fields: dict[str, Any]) -> Analysis:
    """An analysis from JSON."""
    known = {field.name for field in dataclasses.fields(Analysis)}
    values = {name: value for name, value in fields.items() if name in known}
    values |= {name: tuple(values[name]) for name in ("beats_s", "downbeats_s")}
    values["tempo_candidates"] = tuple(TempoCandidate(**c) for c in fields["tempo_candidates"])
    values["key_candidates"] = tuple(KeyCandidate(**c) for c in fields["key_candidates"])
    return Analysis(**values)


def section(mix: Path, result: dict[str, Any], analysis: Analysis) -> SongSection:
    """A song of the report: its stems beside the true ones."""
    truth = truth_of(mix)
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
        stems.append(ReportTrack(stem["kind"], path, stem["duration_s"], loudness, si_sdr, gain))
    return SongSection(
        name=truth["title"],
        model=result["model"],
        model_note="preview model" if result["preview"] else "",
        device=result["device"],
        precision=result["precision"],
        duration_s=result["duration_s"],
        elapsed_s=result["elapsed_s"],
        mix=ReportTrack("mix", mix, mixed.duration_s, analysis.loudness_lufs),
        stems=tuple(stems),
        analysis=analysis,
    )


def truth_of(mix: Path) -> dict[str, Any]:
    """What `render.py` says of a song."""
    truth: dict[str, Any] = json.loads((mix.parent / "truth.json").read_text(encoding="utf-8"))
    return truth


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


def music_table(mixes: list[Path], sections: list[SongSection]) -> Table:
    """All songs: tempo and key found, beside the true ones."""
    out = Table()
    out.add_column("song", no_wrap=True)
    for heading in ("BPM", "true"):
        out.add_column(heading, justify="right", no_wrap=True)
    for heading in ("key", "true", "Camelot"):
        out.add_column(heading, no_wrap=True)
    for heading in ("beats a bar", "true"):
        out.add_column(heading, justify="right", no_wrap=True)
    for mix, song in zip(mixes, sections, strict=True):
        truth, found = truth_of(mix), song.analysis or Analysis(song.duration_s)
        out.add_row(
            song.name,
            f"{found.tempo_bpm:.2f}" if found.tempo_bpm else "-",
            f"{truth['tempo_bpm']:.2f}",
            found.key or "-",
            truth["key"],
            found.camelot or "-",
            str(found.beats_per_bar or "-"),
            str(truth["beats_per_bar"]),
        )
    return out


def mix_table(document: dict[str, Any]) -> Table:
    """Return the measurements of a mashup beside their limits."""
    plan = document["plan"]
    names = list(dict.fromkeys(source["song"] for source in plan["sources"].values()))
    tempo_bpm = plan["grid"]["tempo_bpm"]
    title = f"{' over '.join(names)}: {plan['vibe']}, {tempo_bpm:.2f} BPM, {plan['key']}"
    return measurement_table(title, document["report"]["measurements"])


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit, or a dash where there is none."""
    return f"{value:.1f} {unit}" if value is not None and math.isfinite(value) else "-"


def report(sections: list[SongSection]) -> Report:
    """The report of these songs."""
    notes = [
        "SI-SDR says how close a stem comes to the true one; the gain is how much closer than the "
        "mix itself.",
        "Ticks on the original mix are beats, longer ones begin bars.",
    ]
    if any(song.model_note for song in sections):
        notes.append(
            "These stems come from lite, a preview model that needs no download. Other models: "
            "make demo MODEL=htdemucs"
        )
    return Report(
        title="The sample songs, separated and analyzed",
        subtitle=f"mashup separate and analyze, {datetime.now().astimezone():%d %B %Y, %H:%M}",
        songs=tuple(sections),
        notes=tuple(notes),
    )


if __name__ == "__main__":
    main()
