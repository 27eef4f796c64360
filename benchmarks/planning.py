"""How plans that know the form of their songs compare with plans that do not.

    python -m benchmarks.planning [FOLDER…] [--pairs N] [--rendered N] [--cache FOLDER]

Layers of the sample songs, of generated songs and of songs in folders: a folder of stems is a song,
and each audio file of another folder is one, which is separated by `lite`. Plans are compared, and
the first N pairs of them are rendered and measured. Generated songs, stems and analyses are kept in
the cache.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.form_truth import generated
from benchmarks.plan_figures import Figures, figures
from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions, audio_suffix
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.commands.shared.model_choice import ModelRequest, load_requested
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.planner import plan_layer
from mashup_worker.mixing.planning.song_form import song_form
from mashup_worker.mixing.request import MixRequest
from mashup_worker.models.engine import EngineOptions
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader
from mashup_worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.mixing.measures.report import MixReport
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import MixSong

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = ("vocals", "drums", "bass", "other")
SEEDS = range(9_000, 9_020)
LENGTH_S = 75.0
NAMES = ("agreement", "energy", "cuts", "turns")
MEASURED = {
    "voice: change of timing, ms": "/vocals: change of timing",
    "voice: change of timing p95, ms": "/vocals: change of timing p95",
    "drums: lag, ms": "/drums: lag",
    "level step at splices, LU": "level step at splices",
    "integrated loudness off its target, LU": "integrated loudness",
}
"""Measurements that are compared, by the end of their names."""

_KEPT_SONGS = 8


def formless(song: MixSong) -> MixSong:
    """Return a song whose analysis has no form."""
    without = replace(
        song.analysis, sections=(), chords=(), singing=(), singing_known=False, bars=(), loops=()
    )
    return replace(song, analysis=without)


def files(folders: Sequence[Path], cache: Path) -> list[SongFiles]:
    """Return the sample songs, generated songs with a voice or drums, and those of folders."""
    found = [
        SongFiles(one.parent.name, {kind: one.parent / f"{kind}.ogg" for kind in KINDS})
        for one in sorted(SAMPLES.glob("*/vocals.ogg"))
    ]
    for seed in SEEDS:
        for generator in ("bandstand", "jukebox"):
            home = cache / "generated" / f"{generator}-{seed}"
            if not home.is_dir():
                _write(generator, seed, home)
            found.append(SongFiles(home.name, {one.stem: one for one in sorted(home.iterdir())}))
    found = [one for one in found if {"vocals", "drums"} & one.stems.keys()]
    for folder in folders:
        stems = {one.stem: one for one in sorted(folder.iterdir()) if one.stem in KINDS}
        songs = [one for one in sorted(folder.iterdir()) if audio_suffix(one.name)]
        found += (
            [SongFiles(folder.name, stems)]
            if stems
            else [SongFiles(one.stem, {}, one) for one in songs]
        )
    return found


def _write(generator: str, seed: int, home: Path) -> None:
    song = generated(generator, seed)
    home.mkdir(parents=True)
    for kind, audio in song.stems.items():
        with open_writer(
            home / f"{kind}.flac",
            EncodeOptions("flac", 16),
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            tags=NO_TAGS,
        ) as writer:
            writer.write(audio.samples)


@dataclass(frozen=True)
class Compared:
    """Figures of the plans of one pair without and with form, and reports where rendered."""

    title: str
    of_recordings: bool
    figures: tuple[Figures, Figures]
    reports: tuple[MixReport, ...] = ()


def compared(chosen: argparse.Namespace, cache_folder: Path) -> Iterator[Compared]:
    """Yield the comparisons of pairs, in a fixed random order."""
    known = files(chosen.folders, cache_folder)
    given = {one.name for one in known[len(files((), cache_folder)) :]}

    @cache
    def separator() -> Any:
        request = ModelRequest("lite", None, EngineOptions("cpu"))
        return load_requested(request, load_settings(), quiet=True).separator

    loader = SongLoader(SongCache(cache_folder), separator)

    @lru_cache(_KEPT_SONGS)
    def loaded(index: int) -> MixSong | None:
        try:
            return loader.load([known[index]]).songs[0]
        except InvalidInput as error:
            print(error.message)
            return None

    drawn = [pair for pair in product(range(len(known)), repeat=2) if pair[0] != pair[1]]
    random.Random(0).shuffle(drawn)
    done = 0
    for voice, band in ((loaded(one), loaded(other)) for one, other in drawn):
        if done == chosen.pairs:
            break
        plans = None if voice is None or band is None else planned(voice, band)
        if voice is None or band is None or plans is None:
            continue
        reports = [rendered(one, (voice, band)) for one in plans if done < chosen.rendered]
        done += 1
        yield Compared(
            f"{voice.name} over {band.name}",
            bool(given & {voice.name, band.name}),
            (figures(plans[0], voice, band), figures(plans[1], voice, band)),
            tuple(reports),
        )


def planned(voice: MixSong, band: MixSong) -> tuple[Plan, Plan] | None:
    """Return the plans without and with form; None where the songs make no layer."""
    if not (voice.vocals and len(band.instruments) > 1 and song_form(voice) and song_form(band)):
        return None
    request = MixRequest(length_s=LENGTH_S)
    try:
        without = plan_layer(formless(voice), [formless(band)], request)
        return without, plan_layer(voice, [band], request)
    except InvalidInput:
        return None


def rendered(plan: Plan, songs: Sequence[MixSong]) -> MixReport:
    """Make the mashup of a plan; return its measurements."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "mix.flac"
        return make_mashup(plan, sounds_of_songs(songs), target, EncodeOptions("flac")).report


def measured(report: MixReport, end: str) -> float | None:
    """Return the largest value of the measurements whose names end so; loudness off its target."""
    values = [one.value for one in report.measurements if one.name.endswith(end)]
    numbers = [one for one in values if isinstance(one, float)]
    if end == "integrated loudness" and report.target_lufs is not None:
        numbers = [one - report.target_lufs for one in numbers]
    return max(map(abs, numbers), default=None)


def line(
    name: str, both: Sequence[tuple[float | None, float | None]], *, less: bool
) -> tuple[str, ...]:
    """Return the row of a figure; `less` is better in some."""
    known = [(a, b) for a, b in both if a is not None and b is not None]
    means = [f"{statistics.fmean(pair[side] for pair in known):.3f}" for side in (0, 1)]
    better, worse = (sum((b - a) * sign > 1e-9 for a, b in known) for sign in (1, -1))
    counts = (worse, better) if less else (better, worse)
    return name, str(len(known)), *means, *map(str, counts)


def rows(found: Sequence[Compared]) -> list[tuple[str, ...]]:
    """Return a row for each figure that any of the pairs have."""
    lines = []
    for name in NAMES:
        both = [(getattr(a, name), getattr(b, name)) for a, b in (one.figures for one in found)]
        if any(None not in pair for pair in both):
            lines.append(line(name, both, less=name == "cuts"))
    return lines


def main() -> None:
    """Compare the plans, and publish the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rendered", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    chosen = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for one in compared(chosen, chosen.cache or Path(folder)):
            shown = (
                f"{n} {getattr(one.figures[0], n)} {getattr(one.figures[1], n)}" for n in NAMES
            )
            misses = [[each.sentence for each in report.failures] for report in one.reports]
            print(one.title, *shown, *misses, flush=True)
            found.append(one)
    head = ("figure", "pairs", "without form", "with form", "better", "worse")
    parts = [f"{len(found)} pairs:", table(head, rows(found))]
    recordings = [one for one in found if one.of_recordings]
    if recordings:
        parts += [f"{len(recordings)} of them with a recording:", table(head, rows(recordings))]
    reports = [one.reports for one in found if one.reports]
    if reports:
        lines = [
            line(name, [(measured(a, end), measured(b, end)) for a, b in reports], less=True)
            for name, end in MEASURED.items()
        ]
        missed = [(float(len(a.failures)), float(len(b.failures))) for a, b in reports]
        lines.append(line("measurements beyond their limits", missed, less=True))
        parts += [f"The first {len(reports)}, rendered:", table(head, lines)]
    publish("planning", *parts)


if __name__ == "__main__":
    main()
