"""Measurements of mashups of the sample songs, which cover every pair of choices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.mixing.planning.planner import plan_layer, plan_sequence
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader
from mashup_worker.vocabulary import TRANSITIONS, FormName, TransitionName

if TYPE_CHECKING:
    from mashup_worker.mixing.song import MixSong

SAMPLES = Path(__file__).parents[2] / "samples"
HOUSE, HIPHOP, DNB = "hold-on-to-the-light", "slow-it-down", "when-the-night-falls"
PAIRINGS = ((HOUSE, HIPHOP), (HIPHOP, HOUSE), (DNB, HOUSE), (HIPHOP, DNB), (HOUSE, DNB, HIPHOP))
FORMS: tuple[FormName, ...] = ("layer", "sequence")
KINDS = ("vocals", "drums", "bass", "other")
INTENSITIES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Case:
    pairing: tuple[str, ...]
    vibe: str
    transition: TransitionName
    intensity: float
    form: FormName

    def __str__(self) -> str:
        names = "-".join(name.partition("-")[0] for name in self.pairing)
        return f"{names}-{self.form}-{self.vibe}-{self.transition}-{self.intensity:g}"


def covering_set() -> list[Case]:
    """Return a case for each pairing and vibe; Latin squares assign the other choices."""
    return [
        Case(
            pairing,
            vibe,
            (*TRANSITIONS, TRANSITIONS[i % 4])[(i + j) % 5],
            (*INTENSITIES, 0.0, 1.0)[(2 * i + j) % 5],
            (*FORMS, *FORMS, FORMS[j % 2])[(3 * i + j) % 5],
        )
        for (i, pairing), (j, vibe) in product(enumerate(PAIRINGS), enumerate(VIBES))
    ]


CASES = covering_set()
QUICK = {CASES[6 * number] for number in range(5)}
"""One case for each pairing and vibe, with all other choices among them."""


def test_the_cases_cover_every_pair_of_choices() -> None:
    values = [(c.pairing, c.vibe, c.transition, c.intensity, c.form) for c in CASES]
    choices = (PAIRINGS, tuple(VIBES), TRANSITIONS, INTENSITIES, FORMS)
    missing = [
        pair
        for a, b in combinations(range(5), 2)
        for pair in product(choices[a], choices[b])
        if not any((one[a], one[b]) == pair for one in values)
    ]
    assert not missing
    assert len(CASES) == len(PAIRINGS) * len(VIBES), "fewer can't have all pairs of these two"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MixSong]:
    files = [
        SongFiles(name, {kind: SAMPLES / name / f"{kind}.ogg" for kind in KINDS})
        for name in (HOUSE, HIPHOP, DNB)
    ]
    loader = SongLoader(SongCache(tmp_path_factory.mktemp("songs")), None)
    return {song.name: song for song in loader.load(files).songs}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=() if case in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_a_mashup_passes_its_measurements(
    case: Case, songs: dict[str, MixSong], tmp_path: Path
) -> None:
    request = MixRequest(vibe=case.vibe, intensity=case.intensity, transition=case.transition)
    first, *others = (songs[name] for name in case.pairing)
    if case.form == "layer":
        plan = plan_layer(first, others, request)
    else:
        plan = plan_sequence([first, *others], request)
    ending = "mp3" if case.intensity == 0.5 else "wav"
    target = tmp_path / f"mashup.{ending}"
    encode = EncodeOptions(ending)  # type: ignore[arg-type]
    result = make_mashup(plan, sounds_of_songs(songs.values()), target, encode)
    wrong = [
        f"{one.name}: {one.value} {one.unit}, wanted {one.wanted} ({one.detail})"
        for one in result.report.failures
    ]
    assert not wrong
    judged = {one.name for one in result.report.measurements if one.passed}
    assert {"integrated loudness", "true peak", "clicks at splices"} <= judged
    spans = plan.grid.spans
    places = [f" from {span.start_s:.1f} s" for span in spans] if len(spans) > 1 else [""]
    assert {f"tempo{place}" for place in places} <= judged, "each song of a sequence keeps its own"
