"""How often the analysis is right, on songs whose tempo, beats, bars and key are known.

    python -m benchmarks.analysis [--songs 200] [--first-seed 0] [--midi FOLDER --soundfont FILE]

Songs come from three generators that share nothing, each analyzed from the mix and from its stems;
the sample songs; and, where asked for, MIDI files that FluidSynth renders. No song measured here
took part in fitting anything.
"""

from __future__ import annotations

import argparse
import importlib
import json
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.midi import render
from benchmarks.results import publish, table
from benchmarks.scores import SongScore, Summary, score, summaries
from mashup_worker.audio.decode import decode
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems
from synth.song import Song, Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mashup_worker.analysis.result import Analysis

SAMPLES = Path(__file__).parents[1] / "samples"
GENERATORS = ("bandstand", "jukebox", "roadshow")
MIX, STEMS = "mix", "stems"
HEADINGS = (
    "songs",
    "count",
    "tempo exact",
    "up to level",
    "beat F",
    "beat offset",
    "downbeats",
    "beats a bar",
    "key",
    "key weighted",
    "tuning",
)


@dataclass(frozen=True)
class Measured:
    """One analysis of a song and its score."""

    name: str
    view: str
    score: SongScore


def analyze_song(song: Song) -> list[Measured]:
    """Analyse a song from its mix and, where it has stems, from them."""
    views = {MIX: analyze_audio(song.mix).analysis}
    if song.stems:
        views[STEMS] = analyze_stems(song.stems).analysis
    return [Measured(song.name, view, scored(song.truth, got)) for view, got in views.items()]


def scored(truth: Truth, got: Analysis) -> SongScore:
    """The score of an analysis."""
    return score(
        truth,
        tempo_bpm=got.tempo_bpm,
        beats_s=got.beats_s,
        downbeats_s=got.downbeats_s,
        beats_per_bar=got.beats_per_bar,
        key=got.key,
        tuning_cents=got.tuning_cents,
    )


def sample_songs() -> Iterable[Song]:
    """The songs of `samples/`."""
    for path in sorted(SAMPLES.glob("*/truth.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        files = {kind: path.parent / name for kind, name in truth["stems"].items()}
        yield Song(
            name=truth["title"],
            mix=decode(path.parent / truth["mix"]),
            stems={kind: decode(file) for kind, file in files.items()},
            truth=Truth(
                tempo_bpm=truth["tempo_bpm"],
                beats_s=tuple(truth["beats_s"]),
                downbeats_s=tuple(truth["downbeats_s"]),
                beats_per_bar=truth["beats_per_bar"],
                key=truth["key"],
                tuning_cents=0.0,
                has_drums=True,
                style="sample",
            ),
        )


def _generated(generator: str, seed: int) -> list[Measured]:
    torch.set_num_threads(1)
    module = importlib.import_module(f"synth.{generator}")
    return analyze_song(module.generate(seed))


def measure(generator: str, seeds: Sequence[int]) -> list[Measured]:
    """Scores of a generator's songs, on all cores."""
    with get_context("spawn").Pool() as pool:
        songs = pool.imap(partial(_generated, generator), seeds)
        return [one for song in songs for one in song]


def rows(measured: Sequence[Measured], view: str) -> list[list[str]]:
    """A line of the table for each group of songs."""
    groups = summaries([one.score for one in measured if one.view == view])
    return [_row(name, group) for name, group in groups.items()]


def _row(name: str, group: Summary) -> list[str]:
    offset = "-" if group.beat_offset_s is None else f"{1000 * group.beat_offset_s:+.1f} ms"
    tuning = "-" if group.tuning_error_cents is None else f"{group.tuning_error_cents:.1f} cents"
    shares = (group.tempo_exact, group.tempo_level, group.beat_f_mean)
    rest = (group.downbeat_right, group.meter_right, group.key_exact, group.key_weighted)
    return [
        name,
        str(group.songs),
        *(f"{100 * share:.1f} %" for share in shares[:2]),
        f"{shares[2]:.3f}",
        offset,
        *(f"{100 * share:.1f} %" for share in rest[:3]),
        f"{rest[3]:.3f}",
        tuning,
    ]


def main() -> None:
    """Measure everything and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--generator", choices=GENERATORS, action="append")
    parser.add_argument("--midi", type=Path)
    parser.add_argument("--soundfont", type=Path)
    arguments = parser.parse_args()

    parts = []
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.songs)
    for generator in arguments.generator or GENERATORS:
        measured = measure(generator, seeds)
        for view in (MIX, STEMS):
            heading = f"## {generator}, seeds {seeds[0]} to {seeds[-1]}, from {view}"
            parts += [heading, table(HEADINGS, rows(measured, view))]
    samples = [one for song in sample_songs() for one in analyze_song(song)]
    for view in (MIX, STEMS):
        parts += [f"## sample songs, from {view}", table(HEADINGS, rows(samples, view)[:1])]
    if arguments.midi and arguments.soundfont:
        parts += ["## rendered MIDI", _midi_table(arguments.midi, arguments.soundfont)]
    publish("analysis", *parts)


def _midi_table(folder: Path, soundfont: Path) -> str:
    songs = [render(path, soundfont) for path in sorted(folder.glob("*.mid"))]
    lines = []
    for song in filter(None, songs):
        got = analyze_audio(song.mix).analysis
        one = scored(song.truth, got)
        level = "-" if one.tempo_level_ratio is None else f"{one.tempo_level_ratio:.3g}"
        lines.append(
            [
                song.name,
                f"{song.truth.tempo_bpm:.2f}",
                "-" if got.tempo_bpm is None else f"{got.tempo_bpm:.2f}",
                level,
                f"{one.beat_f:.2f}",
                f"{song.truth.beats_per_bar}",
                "-" if got.beats_per_bar is None else str(got.beats_per_bar),
                "yes" if one.downbeat_right else "no",
            ]
        )
    headings = ("file", "tempo", "found", "level", "beat F", "bar", "found", "downbeats right")
    return table(headings, lines)


if __name__ == "__main__":
    main()
