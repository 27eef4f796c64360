"""How plans that know the form of their songs compare with plans that do not.

    python -m benchmarks.planning [FOLDER…] [--pairs N] [--cache FOLDER]

Layers of the sample songs, of generated songs and of songs in folders of stems. The plans are
compared; nothing is rendered. Generated songs and analyses are kept in the cache.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.form_truth import generated
from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.planner import plan_layer
from mashup_worker.mixing.planning.song_form import STEPS_PER_BAR, song_form
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.song import is_vocal
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.mixing.plan import Clip, Plan
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.song import MixSong

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = ("vocals", "drums", "bass", "other")
SEEDS = range(9_000, 9_020)
LENGTH_S = 75.0
_LOUD_DB = -20.0


@dataclass(frozen=True)
class Figures:
    """Figures of one plan; None where nothing can be compared.

    Attributes:
        agreement: shared tones of the chords of both songs in singing, 0 to 1.
        energy: correlation of the levels of both songs by bar while somebody sings.
        cuts: edges of vocal clips at which the voice sounds.
        turns: share of the turns of the vocal song at which a section of the backing begins.
    """

    agreement: float | None
    energy: float | None
    cuts: float | None
    turns: float | None


def figures(plan: Plan, vocal_song: MixSong, backing: MixSong) -> Figures:
    """Compare what plays together in a plan."""
    forms = [form for form in (song_form(vocal_song), song_form(backing)) if form is not None]
    voices = [clip for clip in plan.clips if is_vocal(plan.sources[clip.source].kind)]
    under = sorted(
        (one for one in plan.clips if plan.sources[one.source].song == backing.name),
        key=lambda one: (plan.sources[one.source].kind == "drums", one.at_bar),
    )
    chords: list[tuple[float, float]] = []
    levels: list[tuple[float, float]] = []
    turns: list[bool] = []
    for voice in voices:
        for at in np.arange(voice.at_bar, voice.end_bar, 1 / STEPS_PER_BAR):
            other = next((one for one in under if one.at_bar <= at < one.end_bar), None)
            if other is not None:
                bars = _bar_of(voice, at), _bar_of(other, at)
                chords += _chords(forms, bars, round(voice.semitones - other.semitones))
                levels += _levels(forms, bars)
                turns += _turns(forms, bars)
    return Figures(
        agreement=_mean(chords),
        energy=_correlation(levels),
        cuts=float(sum(_is_cut(vocal_song, one, edge) for one in voices for edge in (0, 1))),
        turns=sum(turns) / len(turns) if turns else None,
    )


def _bar_of(clip: Clip, at_bar: float) -> float:
    return clip.from_bar + (at_bar - clip.at_bar) * clip.tempo_factor


def _step(bar: float) -> int:
    return int(np.floor((bar + 1e-6) * STEPS_PER_BAR))


def _chords(
    forms: Sequence[SongForm], bars: Sequence[float], shift: int
) -> Iterator[tuple[float, float]]:
    steps = [_step(bar) for bar in bars]
    if all(0 <= step < len(form.chords) for form, step in zip(forms, steps, strict=True)):
        over, under = (form.chords[step] for form, step in zip(forms, steps, strict=True))
        sure = float(np.linalg.norm(over) * np.linalg.norm(under))
        if sure > 0 and forms[0].sung[steps[0]] > 0.5:
            yield float(np.roll(over, shift) @ under) / sure, 1.0


def _levels(forms: Sequence[SongForm], bars: Sequence[float]) -> Iterator[tuple[float, float]]:
    places = [int(np.floor(bar + 1e-6)) for bar in bars]
    step = _step(bars[0])
    inside = all(0 <= at < form.bars for form, at in zip(forms, places, strict=True))
    if inside and forms[0].sung[min(step, len(forms[0].sung) - 1)] > 0.5:
        yield (forms[0].energy[places[0]], forms[1].energy[places[1]])


def _turns(forms: Sequence[SongForm], bars: Sequence[float]) -> Iterator[bool]:
    place, under = round(bars[0]), round(bars[1])
    is_bar = abs(bars[0] - place) < 1e-6 and 0 < place < forms[0].bars
    if is_bar and forms[0].boundary[place] > 0:
        yield abs(bars[1] - under) < 1e-6 and float(forms[1].boundary[under]) > 0


def _is_cut(song: MixSong, clip: Clip, edge: int) -> bool:
    time_s = song.grid.time_at(clip.source_end_bar if edge else clip.from_bar)
    inside = any(one.start_s + 0.05 < time_s < one.stop_s - 0.05 for one in song.analysis.singing)
    stem = song.vocals
    assert stem is not None, "it sings"
    loud = stem.envelope.loud_power * 10 ** (_LOUD_DB / 10)
    return inside and stem.envelope.power(time_s - 0.025, time_s + 0.025) > loud


def _mean(pairs: Sequence[tuple[float, float]]) -> float | None:
    weight = sum(one for _, one in pairs)
    return sum(value * one for value, one in pairs) / weight if weight else None


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    rows = np.array(pairs).T
    if len(pairs) < 8 or min(rows.std(axis=1)) < 1e-6:
        return None
    return float(np.corrcoef(rows)[0, 1])


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
    for folder in folders:
        stems = {one.stem: one for one in sorted(folder.iterdir()) if one.stem in KINDS}
        found.append(SongFiles(folder.name, stems))
    return [one for one in found if {"vocals", "drums"} & one.stems.keys()]


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


def compared(songs: Sequence[MixSong], pairs: int) -> list[tuple[str, Figures, Figures]]:
    """Return the figures of old and new plans of pairs, in a fixed random order."""
    singers = [one for one in songs if one.vocals and song_form(one)]
    bands = [one for one in songs if len(one.instruments) > 1 and song_form(one)]
    drawn = [pair for pair in product(singers, bands) if pair[0] is not pair[1]]
    random.Random(0).shuffle(drawn)
    rows: list[tuple[str, Figures, Figures]] = []
    request = MixRequest(length_s=LENGTH_S)
    for voice, band in drawn:
        if len(rows) == pairs:
            break
        try:
            plans = [
                plan_layer(one, [other], request)
                for one, other in ((formless(voice), formless(band)), (voice, band))
            ]
        except InvalidInput:
            continue
        old, new = (figures(plan, voice, band) for plan in plans)
        rows.append((f"{voice.name} over {band.name}", old, new))
    return rows


def main() -> None:
    """Compare the plans, and publish the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--cache", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cache = chosen.cache or Path(name)
        songs: list[MixSong] = []
        for one in files(chosen.folders, cache):
            try:
                songs += SongLoader(SongCache(cache), None).load([one]).songs
            except InvalidInput as error:
                print(error.message)
        rows = compared(songs, chosen.pairs)
    names = ("agreement", "energy", "cuts", "turns")
    for title, old, new in rows:
        print(title, *(f"{name} {getattr(old, name)} {getattr(new, name)}" for name in names))
    lines = []
    for name in names:
        both = [(getattr(a, name), getattr(b, name)) for _, a, b in rows]
        known = [(a, b) for a, b in both if a is not None and b is not None]
        means = [statistics.fmean(pair[side] for pair in known) for side in (0, 1)]
        better = sum(b < a if name == "cuts" else b > a for a, b in known)
        worse = sum(b > a if name == "cuts" else b < a for a, b in known)
        lines.append(
            (name, str(len(known)), *(f"{one:.3f}" for one in means), str(better), str(worse))
        )
    head = ("figure", "pairs", "without form", "with form", "better", "worse")
    publish("planning", table(head, lines))


if __name__ == "__main__":
    main()
