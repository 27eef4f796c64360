"""Choice of a model by name, license, quality and availability."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from demucs.hdemucs import HDemucs

from mashup_worker.errors import ModelNotAllowed, ModelUnavailable, UnknownModel
from mashup_worker.licenses import ALL_LICENSES, DEMUCS_LICENSE, LicenseRule, license_as_stated
from mashup_worker.models.catalogue import FOUR_STEMS, Model, PublishedSdr
from mashup_worker.models.choice import LITE, PREFERRED, automatic, chosen
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import LoadedModel, load_model
from mashup_worker.models.store import WeightStore
from mashup_worker.models.weight_files import Source, WeightFile
from mashup_worker.settings import Settings
from mashup_worker.system.digests import file_sha256
from tests.checkpoints import HDEMUCS, random_network, save_safetensors

if TYPE_CHECKING:
    from pathlib import Path

PERMISSIVE = LicenseRule.of(["permissive"])
OPTIONS = EngineOptions("cpu", "fp32")


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    """Empty cache without network."""
    return WeightStore(Settings(model_cache=tmp_path / "cache", offline=True))


def names(rule: LicenseRule, store: WeightStore) -> list[str]:
    return [one.name for one in automatic(rule, store)]


def test_a_refusal_names_the_license_and_the_models_that_are_here(store: WeightStore) -> None:
    with pytest.raises(ModelNotAllowed) as refused:
        chosen("htdemucs", PERMISSIVE, store)
    assert refused.value.message == (
        "htdemucs: its license is scientific-only (restricted), and allowed is only permissive; "
        "use lite"
    )
    assert chosen("lite", PERMISSIVE, store).name == "lite"
    with pytest.raises(UnknownModel):
        chosen("htdemux", PERMISSIVE, store)


def test_a_repository_states_no_license(store: WeightStore, tmp_path: Path) -> None:
    with pytest.raises(ModelNotAllowed, match=r"not-stated \(unknown\)"):
        chosen("mine", PERMISSIVE, store, tmp_path)
    assert chosen("mine", LicenseRule.of(["unknown"]), store, tmp_path).repository == tmp_path


def test_auto_tries_the_preferred_model_then_by_quality_then_lite(store: WeightStore) -> None:
    first, *others, last = names(ALL_LICENSES, store)
    assert (first, last) == (PREFERRED, LITE)
    figures = [store.models()[name].sdr for name in others]
    assert [one.value_db if one else 0 for one in figures] == sorted(
        (one.value_db if one else 0 for one in figures), reverse=True
    )
    assert all(set(store.models()[name].stems) >= set(FOUR_STEMS) for name in others)


@pytest.mark.parametrize("terms", ["permissive", "restricted", "scientific-only", "MIT"])
def test_auto_means_allowed_models_only(store: WeightStore, terms: str) -> None:
    rule = LicenseRule.of([terms])
    found = names(rule, store)
    assert found
    assert all(rule.allows(store.models()[name].license) for name in found)


def test_auto_without_an_allowed_model_is_refused(store: WeightStore) -> None:
    with pytest.raises(ModelNotAllowed, match=r"auto: no model has an allowed license \(ISC\)"):
        load_model("auto", OPTIONS, store, rule=LicenseRule.of(["ISC"]))


def test_auto_reports_why_the_preferred_model_is_not_used(store: WeightStore) -> None:
    loaded = load_model("auto", OPTIONS, store, rule=PERMISSIVE)
    assert loaded.separator.name == "lite"
    assert loaded.separator.license.id == "MIT"
    assert loaded.fallback_reason == (
        "htdemucs: its license is scientific-only (restricted), and allowed is only permissive"
    )


def test_auto_without_lite_reports_missing_weights(store: WeightStore) -> None:
    with pytest.raises(ModelUnavailable, match="htdemucs: not in the cache"):
        load_model("auto", OPTIONS, store, rule=LicenseRule.of(["scientific-only"]))


class Shelf:
    """Models with random weights on a mirror."""

    def __init__(self, tmp_path: Path) -> None:
        self.mirror = tmp_path / "mirror"
        self.mirror.mkdir()
        name = save_safetensors(self.mirror, "aaaa1111", random_network(HDemucs, HDEMUCS, seed=1))
        path = self.mirror / name
        self.file = WeightFile(name, file_sha256(path), path.stat().st_size)
        self.settings = Settings(
            model_cache=tmp_path / "cache", model_mirror=str(self.mirror), offline=True
        )
        self.models: dict[str, Model] = {}

    def add(self, name: str, license_id: str, sdr_db: float, *, missing: bool = False) -> None:
        file = replace(self.file, name="none.safetensors") if missing else self.file
        self.models[name] = Model(
            name,
            FOUR_STEMS,
            "tests",
            license_as_stated(license_id),
            1,
            file.size_bytes,
            PublishedSdr(sdr_db, "tests", "tests"),
            "models: ['aaaa1111']",
            (Source("mirror", "", (file,)),),
        )

    @property
    def store(self) -> WeightStore:
        return WeightStore(self.settings, self.models)

    def auto(self, *terms: str) -> LoadedModel:
        rule = LicenseRule.of(terms) if terms else ALL_LICENSES
        return load_model("auto", OPTIONS, self.store, rule=rule)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.add("good", "MIT", 8)
    shelf.add("better", "MIT", 9)
    shelf.add("best", "MIT", 10, missing=True)
    return shelf


def test_auto_fetches_the_best_model_in_place_of_one_that_is_not_allowed(shelf: Shelf) -> None:
    shelf.add(PREFERRED, DEMUCS_LICENSE.id, 9)
    loaded = shelf.auto("permissive")
    assert loaded.separator.name == "better"
    assert str(loaded.separator.license) == "MIT (permissive)"
    assert loaded.fallback_reason
    assert "scientific-only" in loaded.fallback_reason


def test_auto_fetches_nothing_in_place_of_missing_weights(shelf: Shelf) -> None:
    shelf.add(PREFERRED, "MIT", 9, missing=True)
    loaded = shelf.auto()
    assert loaded.separator.name == "lite"
    assert loaded.fallback_reason
    assert loaded.fallback_reason.startswith("htdemucs: no source has the weights")
    shelf.store.pull("good")
    assert shelf.auto().separator.name == "good"


def test_auto_loads_the_preferred_model_without_a_reason(shelf: Shelf) -> None:
    shelf.add(PREFERRED, "MIT", 1)
    loaded = shelf.auto("MIT")
    assert (loaded.separator.name, loaded.fallback_reason) == (PREFERRED, None)
    assert loaded.separator.license == shelf.models[PREFERRED].license
