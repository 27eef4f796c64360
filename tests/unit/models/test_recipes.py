"""Chains and weighted sums of models give what their models give one by one, and stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml

from mashup_worker.audio.signal import Audio
from mashup_worker.audio.spool import Spool
from mashup_worker.errors import Canceled, InvalidInput, ModelUnavailable
from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.recipes.document import read_recipe
from mashup_worker.models.recipes.separator import RecipeSeparator
from mashup_worker.models.segments import Cut
from tests.engines import RATE_HZ, separate
from tests.networks import profile
from tests.unit.models.test_cut import CHUNK, Uneven, noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.separator import Separator

REST = ("drums", "bass", "other")

CHAIN = """
steps:
  - {stems: [vocals], model: first}
  - {stems: [drums, bass, other], model: second}
"""

SUM = """
steps:
  - stems: [drums, bass, other]
    models:
      - {model: second, weight: 3}
      - {model: third, weights: {drums: 1, other: 0.5}}
"""


def separator(*stems: str, **options: Any) -> NetworkSeparator:
    """Return a network with weights of its own, from the number of its stems."""
    cut = Cut.msst(CHUNK, 2 + len(stems))
    network = Uneven(profile(*stems, segment_samples=CHUNK, cut=cut, **options))
    return NetworkSeparator("uneven", Bag.of(network), EngineOptions("cpu", "fp32", batch=2))


def models(**options: Any) -> dict[str, Separator]:
    return {
        "first": separator("vocals", complement="other"),
        "second": separator(*REST, **options),
        "third": separator("other", "drums", "bass", "vocals"),
    }


def recipe(text: str, there: dict[str, Separator]) -> RecipeSeparator:
    made = read_recipe(yaml.safe_load(text), "made.yaml")
    return RecipeSeparator("made", made, {name: there[name] for name in made.models})


def by_kind(one: Separator, mix: Audio, stems: Sequence[str] | None = None) -> dict[str, Tensor]:
    kinds = one.stems if stems is None else stems
    return dict(zip(kinds, separate(one, mix, kinds), strict=True))


@pytest.mark.parametrize("normalization", ["none", "song"])
@pytest.mark.parametrize("length", [1, 300, CHUNK, 1300, 9876])
def test_the_second_model_of_a_chain_gets_what_the_first_one_leaves(
    length: int, normalization: str
) -> None:
    there, mix = models(normalization=normalization), noise(length)
    made = by_kind(recipe(CHAIN, there), mix)
    vocals = by_kind(there["first"], mix, ["vocals"])["vocals"]
    rest = by_kind(there["second"], Audio(mix.samples - vocals, RATE_HZ))
    assert list(made) == ["vocals", *REST]
    torch.testing.assert_close(made["vocals"], vocals)
    for kind in REST:
        torch.testing.assert_close(made[kind], rest[kind], rtol=1e-5, atol=1e-5)


def test_models_are_averaged_by_their_weights() -> None:
    there, mix = models(), noise(4321)
    made = by_kind(recipe(SUM, there), mix)
    second, third = by_kind(there["second"], mix), by_kind(there["third"], mix)
    for kind, weight in {"drums": 1.0, "bass": 0.0, "other": 0.5}.items():
        expected = (3 * second[kind] + weight * third[kind]) / (3 + weight)
        torch.testing.assert_close(made[kind], expected)


@pytest.mark.parametrize("remainder", ["other", "noise"])
def test_the_remainder_is_the_song_minus_all_others(remainder: str) -> None:
    one, mix = recipe(f"{CHAIN}remainder: {remainder}", models()), noise(3456)
    assert one.residual_stem == remainder
    made = by_kind(one, mix)
    others = torch.stack([sound for kind, sound in made.items() if kind != remainder])
    assert set(made) == {"vocals", *REST, remainder}
    assert torch.equal(made[remainder], mix.samples - others.sum(0))


@pytest.mark.parametrize(
    "wanted", [["vocals"], ["bass"], ["other", "vocals"], ["noise"], ["bass", "noise", "drums"]]
)
def test_some_stems_are_those_of_all(wanted: list[str]) -> None:
    one, mix = recipe(f"{CHAIN}remainder: noise", models()), noise(3456)
    every = by_kind(one, mix)
    for kind, sound in by_kind(one, mix, wanted).items():
        torch.testing.assert_close(sound, every[kind])


def test_models_that_no_stem_needs_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    there = models()
    monkeypatch.setattr(there["second"], "stream", None)
    separate(recipe(CHAIN, there), noise(3000), ["vocals"])
    monkeypatch.undo()
    monkeypatch.setattr(there["third"], "stream", None)
    separate(recipe(SUM, there), noise(3000), ["bass"])


def test_silence_gives_silence_and_an_empty_song_nothing() -> None:
    one = recipe(f"{CHAIN}remainder: other", models())
    made = separate(one, Audio(torch.zeros(2, 2500), RATE_HZ))
    assert not made.any()
    assert list(one.stream(noise(0))) == []


def test_a_chain_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stems are there long before the song has been read, and memory is bounded."""

    class Recorder(Audio):
        furthest = longest = 0

        def read(self, start: int, stop: int) -> Tensor:
            Recorder.furthest = max(Recorder.furthest, stop)
            Recorder.longest = max(Recorder.longest, stop - start)
            return super().read(start, stop)

    appended: list[int] = []
    append = Spool.append

    def count(spool: Spool, samples: Tensor) -> None:
        appended.append(samples.shape[-1])
        append(spool, samples)

    monkeypatch.setattr(Spool, "append", count)
    mix = Recorder(noise(100 * CHUNK).samples, RATE_HZ)
    stream = recipe(CHAIN, models()).stream(mix)
    lengths = [next(stream).shape[-1]]
    assert 0 < Recorder.furthest < 10 * CHUNK
    lengths += [block.shape[-1] for block in stream]
    assert sum(lengths) == sum(appended) == mix.length_samples
    assert max(Recorder.longest, *lengths, *appended) <= CHUNK


def test_a_cancel_ends_all_models_and_progress_grows_to_one() -> None:
    one, mix, shares = recipe(CHAIN, models()), noise(20 * CHUNK), list[float]()
    list(one.stream(mix, on_progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any(0.2 < share < 0.8 for share in shares)

    def stop(share: float) -> None:
        if share > 0.5:
            raise Canceled

    with pytest.raises(Canceled):
        list(one.stream(mix, on_progress=stop))


def test_recipes_are_made_of_recipes() -> None:
    there, mix = models(), noise(4000)
    inner = recipe(CHAIN, there)
    outer = recipe("steps: [{stems: [vocals, bass], model: inner}]", {"inner": inner})
    every = by_kind(inner, mix)
    for kind, sound in by_kind(outer, mix).items():
        torch.testing.assert_close(sound, every[kind])


def test_models_that_do_not_fit_are_refused() -> None:
    there = models() | {"second": separator(*REST, sample_rate=48_000)}
    with pytest.raises(InvalidInput, match=r"second works at 48000 Hz .* first at 44100 Hz"):
        recipe(CHAIN, there)
    with pytest.raises(InvalidInput, match="first makes no stem 'drums'"):
        recipe("steps: [{stems: [drums], model: first}]", models())
    with pytest.raises(InvalidInput, match="made makes no stem 'piano'"):
        next(recipe(CHAIN, models()).stream(noise(100), ["piano"]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("steps: []", "steps: .*at least 1"),
        ("steps: 3", "steps: .*list"),
        ("steps: [{stems: [a]}]", "steps.0: needs either"),
        ("steps: [{stems: [a], model: x, models: [y]}]", "steps.0: needs either"),
        ("steps: [{stems: [], model: x}]", "steps.0.stems: .*at least 1"),
        ("steps: [{stems: [A b], model: x}]", "stems.0: not a name of a stem: 'A b'; use lower"),
        ("steps: [{stems: [mix], model: x}]", "steps.0.stems.0: not a name of a stem"),
        ("{steps: [{stems: [a], model: x}], remainder: no_a}", "remainder: not a name of a stem"),
        ("{steps: [{stems: [vocals], model: x}], remainder: instrumental}", "remainder: not a"),
        ("steps: [{stems: [a], model: x, gain: 2}]", "steps.0.gain: not a key of a recipe"),
        ("{steps: [{stems: [a], model: x}], sum: 1}", "sum: not a key of a recipe"),
        ("steps: [{stems: [a], models: [{model: x, weight: -1}]}]", "weight: .*greater"),
        ("steps: [{stems: [a], models: [{model: x, weight: .nan}]}]", "weight: .*finite"),
        ("steps: [{stems: [a], models: [{model: x, weight: 0}]}]", "no model has weight for a"),
        ("steps: [{stems: [a], models: [{model: x, weights: {b: 1}}]}]", "weight for b, which is"),
        ("steps: [{stems: [a], models: [{model: x, weight: 1, weights: {a: 1}}]}]", "x has both"),
        ("steps: [{stems: [a], model: x}, {stems: [a], model: y}]", "a is made twice"),
        (
            "{steps: [{stems: [a], model: x}, {stems: [b], model: y}], remainder: a}",
            "remainder a: made by a step that is not the last",
        ),
        ("{steps: [{stems: [a], model: x}], remainder: a}", "no other stem is made"),
    ],
)
def test_faults_of_a_recipe_are_named_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"made.yaml: .*{reason}") as caught:
        read_recipe(yaml.safe_load(text), "made.yaml")
    assert "\n" not in caught.value.message
