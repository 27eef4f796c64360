"""Recipes in folders and in the cache are found, checked and loaded as models are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
import yaml
from demucs.hdemucs import HDemucs
from typer.testing import CliRunner

from mashup_worker.audio.signal import Audio
from mashup_worker.cli import app
from mashup_worker.errors import (
    InvalidInput,
    MashupError,
    ModelNotAllowed,
    ModelUnavailable,
    UnknownModel,
)
from mashup_worker.licenses import LicenseRule
from mashup_worker.models.catalogue import Model, catalogue, find
from mashup_worker.models.checkpoints.adding import Addition, add_checkpoint
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import load_model
from mashup_worker.models.recipes.document import read_recipe
from mashup_worker.models.recipes.places import Place, weights_sha256
from mashup_worker.models.store import WeightStore
from mashup_worker.public import load_model as load_public
from mashup_worker.settings import Settings
from mashup_worker.worker.model_cache import ModelCache
from tests.checkpoints import HDEMUCS, random_network, save_th
from tests.engines import RATE_HZ, engine, music, separate

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.models.separator import Separator

CPU = EngineOptions("cpu", "fp32")

CHAIN = """
steps:
  - {{stems: [vocals], model: {first}}}
  - {{stems: [drums, bass, other], model: {second}}}
remainder: other
"""


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(Settings(model_cache=tmp_path / "cache", offline=True))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A Demucs network to be added."""
    return tmp_path / save_th(tmp_path, "mine", random_network(HDemucs, HDEMUCS, seed=3))


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def load(store: WeightStore, place: Place) -> Separator:
    return load_model(place.name, CPU, store, repository=place.repository).separator


def test_a_recipe_beside_its_models_and_one_that_names_them_by_path(
    repository: Path, tmp_path: Path, store: WeightStore
) -> None:
    """Both give what the models give one by one; the second one is itself part of a recipe."""
    inner = CHAIN.format(first=repository / "td0", second=repository / "htdemucs.yaml")
    write(tmp_path / "recipes", "inner", inner)
    outer = write(
        tmp_path / "recipes",
        "outer",
        "steps: [{stems: [vocals, drums, other], models: [inner, lite, ./inner.yaml]}]",
    )
    separator = load(store, Place.of(str(outer)))
    assert separator.name == "outer"
    assert separator.license.id == "MIT AND not-stated"
    mix = music(1.2)
    first, second = engine(repository, "td0"), engine(repository, "htdemucs")
    vocals = separate(first, mix, ["vocals"])[0]
    drums, bass = separate(second, Audio(mix.samples - vocals, RATE_HZ), ["drums", "bass"])
    other = mix.samples - (vocals + drums + bass)
    lite = separate(load(store, Place("lite")), mix, ["vocals", "drums", "other"])
    expected = (2 * torch.stack([vocals, drums, other]) + lite) / 3
    torch.testing.assert_close(separate(separator, mix), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        (CHAIN.format(first="lite", second="none"), UnknownModel, "made: none: no such model; "),
        (CHAIN.format(first="lite", second="made"), ModelUnavailable, "itself: made → made"),
        (CHAIN.format(first="lite", second="./two"), ModelUnavailable, "made → two → made"),
        (CHAIN.format(first="lite", second="../no/x"), ModelUnavailable, "no: not a folder"),
        ("steps: [{stems: [piano], model: lite}]", InvalidInput, "lite makes no stem 'piano'"),
        ("steps: [{stems: [!!python/name:os.system '']}]", ModelUnavailable, "tag .* not allowed"),
        ("steps: {a: 1}", ModelUnavailable, "made.yaml: steps: Input should be a valid list"),
    ],
)
def test_faults_are_one_line(
    tmp_path: Path, store: WeightStore, text: str, error: type[MashupError], reason: str
) -> None:
    place = Place("made", tmp_path / "folder")
    write(tmp_path / "folder", "made", text)
    write(tmp_path / "folder", "two", "steps: [{stems: [vocals], model: made}]")
    with pytest.raises(error, match=reason) as caught:
        load(store, place)
    assert "\n" not in caught.value.message


def built_in(tmp_path: Path, *recipes: tuple[str, str, str]) -> WeightStore:
    """A store whose catalogue has recipes: names, and the models for vocals and for the rest."""
    models = {name: find(name) for name in ("lite", "scnet")}
    for name, first, second in recipes:
        recipe = read_recipe(yaml.safe_load(CHAIN.format(first=first, second=second)), name)
        models[name] = replace(find("kim_htdemucs"), name=name, recipe=recipe)
    return WeightStore(Settings(model_cache=tmp_path / "cache", offline=True), models)


def test_a_recipe_of_the_catalogue_needs_its_models_only(tmp_path: Path, checkpoint: Path) -> None:
    names = (("twice", "lite", "lite"), ("lacking", "lite", "scnet"), ("own", "lite", "mine"))
    store = built_in(tmp_path, *names)
    assert [store.is_there(name) for name, *_ in names] == [True, False, False]
    assert store.weights_sha256("twice") is None
    assert store.pull("twice") == store.folder
    assert store.verify("twice") == {}
    separator = load(store, Place("twice"))
    assert (separator.name, separator.license.id) == ("twice", "MIT")
    assert separator.weights_sha256 is None
    mix = music(0.4)
    torch.testing.assert_close(separate(separator, mix).sum(0), mix.samples, rtol=0, atol=1e-5)
    with pytest.raises(ModelUnavailable, match=r"^scnet: its file cannot be fetched"):
        store.pull("lacking")
    with pytest.raises(ModelUnavailable, match=r"^twice: a recipe .* its models are lite$"):
        store.path("twice")
    with pytest.raises(InvalidInput, match=r"^twice: means another model"):
        add_checkpoint(Addition(file=checkpoint, name="twice"), store)
    add_checkpoint(Addition(file=checkpoint, name="mine"), store)
    assert store.is_there("own")
    assert load(store, Place("own")).weights_sha256 == store.weights_sha256("own") is not None


@pytest.mark.parametrize(
    "model", [one for one in catalogue().values() if one.recipe], ids=lambda model: model.name
)
def test_recipes_of_the_catalogue_fit_their_models(model: Model, store: WeightStore) -> None:
    assert model.recipe is not None
    assert model == store.models()[model.name]  # license and size are those of its models
    assert model.stems == model.recipe.stems
    for step in model.recipe.steps:
        for member in step.members:
            assert set(step.stems) <= set(store.find(member.model).stems)


def test_a_recipe_of_the_cache_is_a_model_by_name(
    tmp_path: Path, store: WeightStore, checkpoint: Path
) -> None:
    text = CHAIN.format(first="lite", second="mine")
    recipe = write(tmp_path, "two_steps", text)
    with pytest.raises(UnknownModel, match="mine"):
        add_checkpoint(Addition(file=recipe), store)
    mine = add_checkpoint(Addition(file=checkpoint, name="mine", license="Apache-2.0"), store)
    model = add_checkpoint(Addition(file=recipe), store)
    assert model == store.models()["two_steps"]
    assert model.stems == ("vocals", "drums", "bass", "other")
    assert model.license.id == "Apache-2.0 AND MIT"
    assert model.parameters == store.find("lite").parameters + mine.parameters
    assert store.is_there("two_steps")
    assert store.verify("two_steps")
    settings = Settings(model_cache=store.folder, offline=True)
    separator = ModelCache(settings, default="lite", device="cpu").separator("two_steps")
    assert separator.residual_stem == "other"
    mix = music(0.4)
    assert torch.allclose(separate(separator, mix).sum(0), mix.samples, atol=1e-6)
    with pytest.raises(ModelNotAllowed, match=r"two_steps: .*Apache-2.0 AND MIT"):
        load_model("two_steps", CPU, store, rule=LicenseRule.of(["MIT"]))
    store.remove("mine")
    assert not store.is_there("two_steps")
    with pytest.raises(UnknownModel, match="mine"):
        load(store, Place("two_steps"))


def test_pulling_a_recipe_pulls_its_models(tmp_path: Path, store: WeightStore) -> None:
    recipe = write(tmp_path, "made", CHAIN.format(first="lite", second="htdemucs"))
    add_checkpoint(Addition(file=recipe), store)
    assert not store.is_there("made")
    with pytest.raises(ModelUnavailable, match="htdemucs: not in the cache, and MASHUP_OFFLINE"):
        store.pull("made")


@pytest.mark.parametrize(
    ("addition", "text", "reason"),
    [
        ({"license": "MIT"}, CHAIN.format(first="lite", second="lite"), "licenses of its models"),
        ({"name": "htdemucs"}, CHAIN.format(first="lite", second="lite"), "licenses of its models"),
        ({}, CHAIN.format(first="lite", second="./lite"), "a path"),
        ({}, CHAIN.format(first="lite", second="added"), "^added: added: no such model"),
        ({}, CHAIN.format(first="lite", second="kim_vocals"), "kim_vocals makes no stem 'drums'"),
        ({}, "model: {dims: 3}", "no recipe"),
    ],
)
def test_a_recipe_that_cannot_be_added(
    tmp_path: Path, store: WeightStore, addition: dict[str, str], text: str, reason: str
) -> None:
    file = write(tmp_path, "added", text)
    with pytest.raises(MashupError, match=reason):
        add_checkpoint(Addition(file=file, **addition), store)  # type: ignore[arg-type]
    assert "added" not in store.models()


def test_the_digest_of_a_recipe_depends_on_its_models(
    tmp_path: Path, store: WeightStore, checkpoint: Path
) -> None:
    place = Place("made", tmp_path)
    write(tmp_path, "made", CHAIN.format(first="lite", second="mine"))
    digests = [weights_sha256(place, store)]
    checkpoint.unlink()
    save_th(tmp_path, "mine", random_network(HDemucs, HDEMUCS, seed=4))
    digests.append(weights_sha256(place, store))
    write(tmp_path, "made", CHAIN.format(first="lite", second="mine") + "# changed")
    digests.append(weights_sha256(place, store))
    assert len({*digests}) == 3
    assert None not in digests


def test_the_command_and_the_library_take_the_path_of_a_recipe(tmp_path: Path) -> None:
    recipe = write(tmp_path, "made", "steps: [{stems: [vocals], model: lite}]\nremainder: other")
    music(0.5).save(tmp_path / "song.wav")
    command = ["separate", str(tmp_path / "song.wav"), "-o", str(tmp_path / "out"), "--quiet"]
    done = CliRunner().invoke(app, [*command, "--model", str(recipe), "--sum-exact", "--json"])
    assert not done.exit_code, done.output
    assert '"model": "made"' in done.stdout
    assert '"id": "MIT"' in done.stdout
    assert {path.stem for path in (tmp_path / "out").rglob("*.flac")} == {"vocals", "other"}
    done = CliRunner().invoke(app, [*command, "--model", str(recipe), "--stems", "drums"])
    assert done.exit_code == 2
    assert "drums: not a stem of this model; use one of vocals, other" in done.output
    model = load_public(recipe, device="cpu")
    assert model.stems == ("vocals", "other")
