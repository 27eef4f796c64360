"""How mashups of pairs of recordings measure.

    python -m benchmarks.pairs FOLDER… [--pairs N] [--model lite] [--cache FOLDER] [--json FILE]

The recordings are the audio files in the folders. Pairs are drawn in a fixed random order; every
third is a sequence, the others are layers, or sequences where they are refused.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import publish, table
from mashup_worker.audio.formats import EncodeOptions, audio_suffix
from mashup_worker.commands.shared.model_choice import ModelRequest, load_requested
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.planner import plan_layer, plan_sequence
from mashup_worker.mixing.request import MixRequest
from mashup_worker.models.engine import EngineOptions
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader
from mashup_worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import MixSong

SHOWN = ("beats detected", "level step at splices", "key: vocals fit best at")
"""Measurements with a column of their own."""


def drawn(paths: Sequence[Path], count: int) -> list[tuple[Path, Path]]:
    """Return pairs in which songs occur about equally often."""
    pairs = list(permutations(sorted(paths), 2))
    random.Random(0).shuffle(pairs)
    chosen: list[tuple[Path, Path]] = []
    uses = dict.fromkeys(paths, 0)
    while pairs and len(chosen) < count:
        best = min(pairs, key=lambda pair: uses[pair[0]] + uses[pair[1]])
        pairs.remove(best)
        chosen.append(best)
        for one in best:
            uses[one] += 1
    return chosen


def planned(
    first: MixSong,
    second: MixSong,
    request: MixRequest,
    *,
    layered: bool,
    semitones: Mapping[str, int] | None = None,
) -> Plan:
    """Return the plan of a layer, or of a sequence where a layer is refused or not wanted."""
    if layered:
        try:
            return plan_layer(first, [second], request, semitones=semitones)
        except InvalidInput as refused:
            print(f"  no layer: {refused.message}")
    return plan_sequence([first, second], request)


def measured(pair: tuple[MixSong, MixSong], target: Path, *, layered: bool) -> dict[str, Any]:
    """Make a mashup and return its measurements."""
    request = MixRequest(length_s=75.0)
    plan = planned(*pair, request, layered=layered)
    started_s = time.perf_counter()
    sounds = sounds_of_songs(pair)
    result = make_mashup(
        plan,
        sounds,
        target,
        EncodeOptions("mp3"),
        replan=lambda shifts: planned(*pair, request, layered=layered, semitones=shifts),
    )
    grid = result.plan.grid
    return {
        "pair": " + ".join(song.name for song in pair),
        "form": plan.form,
        "tempo_bpm": grid.tempo_bpm,
        "songs_bpm": [round(song.grid.tempo_bpm, 2) for song in pair],
        "elapsed_s": round(time.perf_counter() - started_s, 1),
        "notes": list(result.plan.notes),
        "measurements": [one.as_dict() for one in result.report.measurements],
    }


def row(one: dict[str, Any]) -> tuple[str, ...]:
    """Return the row of a mashup."""
    judged = [each for each in one["measurements"] if each["passed"] is not None]
    failed = [each for each in judged if not each["passed"]]
    values = []
    for name in SHOWN:
        found = [each for each in one["measurements"] if each["name"].startswith(name)]
        sure = [each for each in found if each["passed"] is not None]
        known = [each["value"] for each in sure or found if each["value"] is not None]
        unsure = "" if sure else " (not judged)"
        values.append(f"{max(known, key=abs):.1f}{unsure}" if known else "-")
    misses = "; ".join(f"{each['name']} {each['value']} {each['unit']}" for each in failed)
    tempi = " and ".join(f"{bpm:g}" for bpm in one["songs_bpm"])
    return one["pair"], one["form"], tempi, f"{len(judged)}", *values, misses or "none"


def main() -> None:
    """Make the mashups and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    paths = [path for folder in arguments.folders for path in folder.iterdir()]
    paths = [path for path in paths if audio_suffix(path.name)]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:

        @cache
        def separator() -> Any:
            request = ModelRequest(arguments.model, None, EngineOptions("cpu"))
            return load_requested(request, load_settings(), quiet=True).separator

        loader = SongLoader(SongCache(arguments.cache or Path(name) / "songs"), separator)
        for first, second in drawn(paths, len(paths) ** 2):
            if len(found) == arguments.pairs:
                break
            try:
                files = [SongFiles(path.stem, {}, path) for path in (first, second)]
                pair = loader.load(files).songs
                layered = len(found) % 3 != 2
                one = measured((pair[0], pair[1]), Path(name) / "mix.mp3", layered=layered)
            except InvalidInput as refused:
                print(f"{first.stem} + {second.stem}: {refused.message}")
                continue
            found.append(one)
            print(" | ".join(row(one)), f"| {one['elapsed_s']} s", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    passed = sum(all(m["passed"] is not False for m in one["measurements"]) for one in found)
    header = ("songs", "form", "BPM", "judged", "beats, ms", "step, LU", "key, semitones", "misses")
    publish(
        "pairs",
        f"{passed} of {len(found)} mashups of two recordings pass all measurements.",
        table(header, [row(one) for one in found]),
    )


if __name__ == "__main__":
    main()
