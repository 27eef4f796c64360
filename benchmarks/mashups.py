"""How many mashups of the sample songs measure as they should.

    python -m benchmarks.mashups [--every N]

All of them: each ordered pair of songs and all three together, in both forms, with every vibe and
transition, calm, half-way and full on. `--every` takes each Nth of these in a fixed random order.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import publish, table
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.mixing.planning.planner import plan_layer, plan_sequence
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader
from mashup_worker.vocabulary import TRANSITIONS, FormName, TransitionName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.measures.report import MixReport
    from mashup_worker.mixing.song import MixSong

SAMPLES = Path(__file__).parents[1] / "samples"
SONGS = "hold-on-to-the-light", "slow-it-down", "when-the-night-falls"
KINDS = ("vocals", "drums", "bass", "other")
FORMS: tuple[FormName, ...] = ("layer", "sequence")
INTENSITIES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Case:
    """One mashup: its songs, of which the first sings where one does, and how it should be."""

    songs: tuple[str, ...]
    form: FormName
    vibe: str
    transition: TransitionName
    intensity: float

    def __str__(self) -> str:
        names = " ".join(name.partition("-")[0] for name in self.songs)
        return f"{names}, {self.form}, {self.vibe} {self.intensity:g}, {self.transition}"

    def made(self, songs: Mapping[str, MixSong], target: Path) -> MixReport:
        """Make the mashup and measure it."""
        request = MixRequest(vibe=self.vibe, intensity=self.intensity, transition=self.transition)
        first, *others = (songs[name] for name in self.songs)
        if self.form == "layer":
            plan = plan_layer(first, others, request)
        else:
            plan = plan_sequence([first, *others], request)
        sounds = sounds_of_songs(songs.values())
        return make_mashup(plan, sounds, target, EncodeOptions("mp3")).report


def all_cases() -> list[Case]:
    """The full matrix, in a random order that is always the same."""
    pairings = [*permutations(SONGS, 2), SONGS]
    cases = [Case(*choice) for choice in product(pairings, FORMS, VIBES, TRANSITIONS, INTENSITIES)]
    random.Random(0).shuffle(cases)
    return cases


def loaded(folder: Path) -> dict[str, MixSong]:
    """The sample songs, by name."""
    files = [
        SongFiles(name, {kind: SAMPLES / name / f"{kind}.ogg" for kind in KINDS}) for name in SONGS
    ]
    return {song.name: song for song in SongLoader(SongCache(folder), None).load(files).songs}


def what(name: str) -> str:
    """A measurement's name without that of a stem."""
    return name.rpartition(": ")[2] if "/" in name else name


def figures(reports: Sequence[MixReport]) -> list[tuple[str, ...]]:
    """A row for each measurement that is judged: how often, how often it fails, its values."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    failed: Counter[str] = Counter()
    wanted: dict[str, str] = {}
    for one in (one for report in reports for one in report.measurements):
        if one.passed is None or not isinstance(one.value, int | float):
            continue
        name = f"{what(one.name)}, {one.unit}" if one.unit else what(one.name)
        values[name].append(one.value)
        failed[name] += not one.passed
        # Targets differ from mashup to mashup.
        wanted[name] = one.wanted if wanted.get(name, one.wanted) == one.wanted else "its target"
    return [
        (
            name,
            wanted[name],
            str(len(found)),
            str(failed[name]),
            f"{statistics.median(found):.2f}",
            f"{min(found):.2f} to {max(found):.2f}",
        )
        for name, found in values.items()
    ]


def main() -> None:
    """Make them, and publish how they measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    every = max(1, parser.parse_args().every)
    every_case = all_cases()
    cases, reports, failures = every_case[::every], [], []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        songs = loaded(Path(name))
        for done, case in enumerate(cases, start=1):
            report = case.made(songs, Path(name) / "mashup.mp3")
            reports.append(report)
            failures += [f"- {case}: {one.name} {one.value} {one.unit}" for one in report.failures]
            print(f"{done} of {len(cases)}: {case}: {'ok' if report.passed else 'FAILED'}")
    passed = sum(report.passed for report in reports)
    publish(
        "mashups",
        f"{passed} of {len(cases)} mashups pass all measurements; {len(every_case)} are in the "
        f"full matrix. Each took {(time.perf_counter() - started) / len(cases):.1f} s.",
        table(("measurement", "wanted", "judged", "failed", "median", "range"), figures(reports)),
        *(["Failed:\n\n" + "\n".join(failures)] if failures else []),
    )


if __name__ == "__main__":
    main()
