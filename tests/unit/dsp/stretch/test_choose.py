"""Which engine stretches what, and that it is good enough for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import hits_and_chords as sounds
from benchmarks.stretching import (
    MOST_CONVERGENCE_RATIO,
    MOST_JITTER_MS,
    MOST_PRE_ECHO_DB,
    RATIOS,
    convergence,
    jitter_ms,
    pre_echo_db,
)
from mashup_worker.dsp.stretch.choose import ENGINE_NAMES, ENGINES, choose_engine, find_engine
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.rubberband import RubberBand
from mashup_worker.errors import EngineUnavailable, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.stretch.time_map import TimeMap

    Maker = Callable[[int, TimeMap, float], Audio]

ROOT = Path(__file__).parents[4]
SEED = 60
DURATION_S = 3.0
STILL = sounds.even(1.0, DURATION_S)

installed = pytest.mark.skipif(not RubberBand.available(), reason="no rubberband command")


@pytest.mark.parametrize("name", ["tensor", "slices", "signalsmith"])
def test_in_process_engines_are_always_available(name: str) -> None:
    assert find_engine(name).name == name
    assert choose_engine(name, "drums").name == name


@installed
def test_rubber_band_means_its_finer_engine() -> None:
    assert find_engine("rubberband").name == "rubberband-r3"
    assert find_engine("rubberband-r2").name == "rubberband-r2"


def test_an_engine_that_is_not_installed_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=r"engine rubberband-r2.* not installed"):
        find_engine("rubberband-r2")
    # Automatic choice never needs it.
    for kind in ("drums", "bass", "vocals", "other"):
        choose_engine("auto", kind)


@pytest.mark.parametrize("name", ["", "Tensor", "elastique"])
def test_an_unknown_engine_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"engine: .*auto, tensor, slices, rubberband-r3"):
        choose_engine(name, "drums")


def test_every_engine_is_documented() -> None:
    page = (ROOT / "docs" / "stretching.md").read_text(encoding="utf-8")
    assert not [name for name in ENGINE_NAMES if f"`{name}`" not in page]
    assert set(ENGINES) < set(ENGINE_NAMES)


@pytest.mark.parametrize("ratio", RATIOS)
def test_drums_keep_their_attacks(ratio: float) -> None:
    engine, time_map = choose_engine("auto", "drums"), sounds.uneven(ratio, DURATION_S)
    for make in (sounds.single_hits, sounds.groove):
        hits = make(SEED, DURATION_S)
        copy = engine.stretch(hits.audio, Change(time_map))
        assert np.percentile(jitter_ms(hits, copy, time_map), 95) <= MOST_JITTER_MS
        if make is sounds.single_hits:
            assert max(pre_echo_db(hits, copy, time_map)) <= MOST_PRE_ECHO_DB


@pytest.mark.parametrize("ratio", [0.8, 1.25])
@pytest.mark.parametrize("make", [sounds.chords, sounds.voice])
def test_chords_and_voices_are_preserved(make: Maker, ratio: float) -> None:
    change = Change(sounds.even(ratio, DURATION_S), 2.0, keep_formants=make is sounds.voice)
    copy = choose_engine("auto", "other").stretch(make(SEED, STILL, 0.0), change)
    wanted = make(SEED, change.time_map, change.semitones)
    assert convergence(copy.samples, wanted.samples) < 0.35


@installed
@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_chords_come_out_nearly_as_well_as_from_rubber_band(ratio: float) -> None:
    change = Change(sounds.even(ratio, DURATION_S))
    source, wanted = sounds.chords(SEED, STILL), sounds.chords(SEED, change.time_map)
    ours, best = (
        convergence(engine.stretch(source, change).samples, wanted.samples)
        for engine in (choose_engine("auto", "other"), find_engine("rubberband-r3"))
    )
    assert ours <= MOST_CONVERGENCE_RATIO * best
