"""Recipes in folders and in the cache are found, checked and loaded as models are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
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
from mashup_worker.models.checkpoints.adding import Addition, add_checkpoint
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import load_model
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
