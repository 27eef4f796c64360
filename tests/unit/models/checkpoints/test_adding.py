"""Checkpoints that users add to the cache, and those that are refused without a trace."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from demucs.htdemucs import HTDemucs
from safetensors.torch import load_file, save_file

from mashup_worker.errors import InvalidInput, ModelUnavailable, UnknownModel
from mashup_worker.licenses import license_as_stated
from mashup_worker.models.added import read_header
from mashup_worker.models.catalogue import Model
from mashup_worker.models.checkpoints.adding import Addition, add_checkpoint
from mashup_worker.models.checkpoints.repository import load_bag, model_names, weights_sha256
from mashup_worker.models.digests import MANIFEST, check_sha256, expected_digests
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import load_model
from mashup_worker.models.store import WeightStore
from mashup_worker.models.weight_files import Source, WeightFile
from mashup_worker.settings import Settings
from mashup_worker.system.digests import file_sha256
from tests.checkpoints import SMALLEST, random_network, save_safetensors, save_th
from tests.engines import music, separate
from tests.msst import CONFIGS, config_of, random_state, save_config, save_pair

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(Settings(model_cache=tmp_path / "cache", offline=True))


def _files(folder: Path) -> list[str]:
    """Names of all files with content below a folder."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size
    )


def _stems(name: str, store: WeightStore, repository: Path | None = None) -> Tensor:
    options = EngineOptions("cpu", "fp32")
    separator: Any = load_model(name, options, store, repository=repository).separator
    return separate(separator, music(0.3))


@pytest.mark.parametrize("architecture", CONFIGS)
def test_an_added_model_separates_like_its_checkpoint(
    tmp_path: Path, store: WeightStore, architecture: str
) -> None:
    checkpoint, config = save_pair(tmp_path, "own", architecture)
    addition = Addition(
        file=checkpoint, config=config, name="my-model", license="mit", source="https://example.org"
    )
    model = add_checkpoint(addition, store)
    assert model == store.find("my-model")
    assert model.license.id == "MIT"
    assert model.license.source == "https://example.org"
    assert model.purpose == "added from own.ckpt"
    assert "RoFormer" in model.architecture or "SCNet" in model.architecture
    assert model.parameters == sum(one.numel() for one in random_state(architecture).values())
    folder = store.path("my-model")
    assert _files(folder) == [MANIFEST, "my-model.safetensors"]
    assert store.verify("my-model") == expected_digests(folder)
    modes = {(folder / name).stat().st_mode for name in _files(folder)}
    assert len(modes) == 1, "workers of another user read the file too"
    made = _stems("my-model", store)
    assert made.shape[0] == len(model.stems)
    assert torch.equal(made, _stems("own", store, tmp_path))


def test_the_header_states_where_the_file_is_from(tmp_path: Path, store: WeightStore) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    add_checkpoint(Addition(file=checkpoint, config=config, license="CC BY 4.0"), store)
    path = store.path("own") / "own.safetensors"
    header = read_header(path)
    assert header["architecture"] == "scnet"
    assert json.loads(header["config"])["model"]["nfft"] == 256
    assert header["original_file"] == "own.ckpt"
    assert header["original_sha256"] == file_sha256(checkpoint)
    assert header["license"] == "CC BY 4.0"
    assert load_file(path).keys() == random_state("scnet").keys()


def test_masked_weights_of_scnet_are_recognized(tmp_path: Path, store: WeightStore) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet_masked")
    save_config(config, CONFIGS["scnet"])
    model = add_checkpoint(Addition(file=checkpoint, config=config), store)
    assert model.architecture == "SCNet, masked"


def test_half_precision_is_widened(tmp_path: Path, store: WeightStore) -> None:
    config = save_config(tmp_path / "own.yaml", CONFIGS["scnet"])
    state = {name: one.half() for name, one in random_state("scnet").items()}
    torch.save(state, tmp_path / "own.pt")
    add_checkpoint(Addition(file=tmp_path / "own.pt", config=config), store)
    saved = load_file(store.path("own") / "own.safetensors")
    assert {one.dtype for one in saved.values()} == {torch.float32}
    assert all(torch.equal(saved[name], one.float()) for name, one in state.items())


def test_a_checkpoint_of_scnets_author(tmp_path: Path, store: WeightStore) -> None:
    config = {
        "data": {"samplerate": 44_100, "segment": 1, "channels": 2, "normalize": True},
        "model": CONFIGS["scnet"]["model"],
        "ema": {"epoch": [0.9]},
    }
    state = {f"module.{name}": one for name, one in random_state("scnet").items()}
    torch.save({"best_state": state, "state": {}, "best_nsdr": 9.0}, tmp_path / "checkpoint.th")
    save_config(tmp_path / "c.yaml", config)
    addition = Addition(file=tmp_path / "checkpoint.th", config=tmp_path / "c.yaml", name="own")
    assert add_checkpoint(addition, store).stems == ("drums", "bass", "other", "vocals")
    assert _stems("own", store).shape[0] == 4


@pytest.mark.parametrize("save", [save_th, save_safetensors])
def test_a_checkpoint_of_demucs_needs_no_configuration(
    tmp_path: Path, store: WeightStore, save: Any
) -> None:
    network = random_network(HTDemucs, SMALLEST, seed=3)
    file = tmp_path / save(tmp_path, "mine", network)
    model = add_checkpoint(Addition(file=file, name="my_demucs"), store)
    assert model.stems == ("drums", "bass", "other", "vocals")
    assert model.license.id == "not-stated"
    assert model.architecture == "Hybrid Transformer Demucs"
    assert torch.equal(_stems("my_demucs", store), _stems("mine", store, tmp_path))


def test_demucs_in_the_form_of_msst(tmp_path: Path, store: WeightStore) -> None:
    network = random_network(HTDemucs, SMALLEST, seed=3)
    options = {k: v for k, v in SMALLEST.items() if k not in ("sources", "segment")}
    config: dict[str, Any] = {
        "model": "htdemucs",
        "htdemucs": options | {"num_subbands": 1},
        "training": {"instruments": SMALLEST["sources"], "samplerate": 44_100, "segment": 0.1},
    }
    save_config(tmp_path / "own.yaml", config)
    torch.save({"state": network.state_dict()}, tmp_path / "own.ckpt")
    save_th(tmp_path, "plain", network)
    add_checkpoint(
        Addition(file=tmp_path / "own.ckpt", config=tmp_path / "own.yaml", name="added"), store
    )
    plain = _stems("plain", store, tmp_path)
    assert torch.equal(_stems("added", store), plain)
    assert torch.equal(_stems("own", store, tmp_path), plain)
    config["htdemucs"] = options | {"channels": 8}
    save_config(tmp_path / "own.yaml", config)
    with pytest.raises(ModelUnavailable, match=r"own\.ckpt: \S+: shape \(4, "):
        load_bag("own", tmp_path)


@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape", "nan"])
def test_weights_that_do_not_fit_are_named_and_leave_nothing(
    tmp_path: Path, store: WeightStore, architecture: str, fault: str
) -> None:
    state = random_state(architecture)
    name = "encoder.1.globalconv.weight"
    name = name if name in state else "band_split.to_features.1.1.weight"
    config = save_config(tmp_path / "own.yaml", CONFIGS[architecture])
    if fault == "missing":
        del state[name]
    elif fault == "unexpected":
        name = "extra.weight"
        state[name] = torch.zeros(2)
    elif fault == "shape":
        state[name] = torch.zeros(3, 1)
    else:
        state[name] = torch.full_like(state[name], torch.nan)
        name = "not finite"
    torch.save(state, tmp_path / "own.ckpt")
    with pytest.raises(ModelUnavailable, match=rf"own\.ckpt: .*{name}") as caught:
        add_checkpoint(Addition(file=tmp_path / "own.ckpt", config=config), store)
    assert "\n" not in caught.value.message
    assert _files(store.folder) == []
    assert store.names() == WeightStore(Settings(model_cache=tmp_path / "none")).names()


def test_a_checkpoint_without_its_configuration(tmp_path: Path, store: WeightStore) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    with pytest.raises(ModelUnavailable, match=r"own\.ckpt: does not define its network"):
        add_checkpoint(Addition(file=checkpoint), store)
    config.unlink()
    with pytest.raises(UnknownModel, match="own: no such model"):
        load_bag("own", tmp_path)


_PATHS = ["a/b", "..", "own.yaml", "own.yml"]
"""Names that `--model` takes for paths."""


@pytest.mark.parametrize("name", [*_PATHS, "", "a b", "ä", "-x", ".x", "random:scnet", "x" * 300])
def test_names_that_no_model_may_have(tmp_path: Path, store: WeightStore, name: str) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    with pytest.raises(InvalidInput, match=rf"^{name[:80]}: not a name for a model; use") as caught:
        add_checkpoint(Addition(file=checkpoint, config=config, name=name), store)
    assert len(caught.value.message) < 240
    assert not store.folder.exists()


@pytest.mark.parametrize("name", ["auto", "lite"])
def test_names_of_models_that_the_cache_does_not_hold(
    tmp_path: Path, store: WeightStore, name: str
) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    with pytest.raises(InvalidInput, match=f"^{name}: means another model; use another --name"):
        add_checkpoint(Addition(file=checkpoint, config=config, name=name), store)


def test_a_name_that_is_taken(tmp_path: Path, store: WeightStore) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    addition = Addition(file=checkpoint, config=config)
    add_checkpoint(addition, store)
    with pytest.raises(InvalidInput, match="own: already in the cache; run `mashup models remove"):
        add_checkpoint(addition, store)
    store.remove("own")
    assert _files(store.folder) == []
    add_checkpoint(addition, store)


def test_weights_for_a_name_of_the_catalogue_without_digests(
    tmp_path: Path, store: WeightStore
) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    with pytest.raises(InvalidInput, match="scnet: its configuration and license are in the cat"):
        add_checkpoint(Addition(file=checkpoint, config=config, name="scnet"), store)
    with pytest.raises(ModelUnavailable, match=r"own\.ckpt: "):  # another size
        add_checkpoint(Addition(file=checkpoint, name="scnet"), store)
    definition = yaml.safe_dump(CONFIGS["scnet"] | {"training": CONFIGS["scnet"]["training"]})
    model = Model("scnet", (), "", store.find("scnet").license, 1, 1, None, definition)
    small = WeightStore(Settings(model_cache=store.folder), {"scnet": model})
    assert add_checkpoint(Addition(file=checkpoint, name="scnet"), small) is model
    assert _files(store.path("scnet")) == [MANIFEST, "scnet.safetensors", "scnet.yaml"]
    assert torch.equal(_stems("scnet", small), _stems("own", store, tmp_path))


def test_files_with_published_digests(tmp_path: Path, store: WeightStore) -> None:
    files = [
        tmp_path / save_th(tmp_path, f"net{seed}", random_network(HTDemucs, SMALLEST, seed=seed))
        for seed in (0, 1)
    ]
    weights = tuple(WeightFile(file.name, file_sha256(file), file.stat().st_size) for file in files)
    bag = "models: [net0, net1]\n"
    terms = store.find("htdemucs").license
    model = Model("two", (), "", terms, 1, 1, None, bag, (Source("hub", "", weights),))
    small = WeightStore(Settings(model_cache=store.folder, offline=True), {"two": model})
    (tmp_path / "other.th").write_bytes(files[0].read_bytes()[:-1])
    with pytest.raises(ModelUnavailable, match=r"other\.th: SHA-256 \w+… is of no file of two"):
        add_checkpoint(Addition(file=tmp_path / "other.th", name="two"), small)
    renamed = tmp_path / "download.th"
    shutil.copy(files[0], renamed)
    with pytest.raises(ModelUnavailable, match=rf"two: {files[0].name} is there; add net1-"):
        add_checkpoint(Addition(file=renamed, name="two"), small)
    assert not small.has("two")
    add_checkpoint(Addition(file=files[1], name="two"), small)
    assert set(small.verify("two")) == {files[0].name, files[1].name, "two.yaml"}
    assert len(load_bag("two", small.path("two")).members) == 2


def test_a_changed_file_is_not_loaded(tmp_path: Path, store: WeightStore) -> None:
    checkpoint, config = save_pair(tmp_path, "own", "scnet")
    add_checkpoint(Addition(file=checkpoint, config=config), store)
    path = store.path("own") / "own.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelUnavailable, match=r"own\.safetensors: SHA-256 is"):
        _stems("own", store)
    with pytest.raises(ModelUnavailable, match=r"own: its weights are damaged.*run `mashup"):
        store.pull("own")


def test_results_of_other_weights_under_the_same_name_are_told_apart(
    tmp_path: Path, store: WeightStore
) -> None:
    digests = set()
    for seed in (0, 1):
        checkpoint, config = save_pair(tmp_path, "own", "scnet", seed)
        add_checkpoint(Addition(file=checkpoint, config=config), store)
        digests.add(store.weights_sha256("own"))
        store.remove("own")
    assert len(digests) == 2
    assert store.weights_sha256("htdemucs") is None


def test_pairs_in_a_folder(tmp_path: Path) -> None:
    save_pair(tmp_path, "own", "scnet")
    save_th(tmp_path, "demucs", random_network(HTDemucs, SMALLEST, seed=0))
    assert model_names(tmp_path) == ["own", "demucs"]
    first = weights_sha256("own", tmp_path)
    save_config(tmp_path / "own.yaml", config_of("scnet", inference__num_overlap=4))
    assert weights_sha256("own", tmp_path) != first
    check_sha256(tmp_path / "own.ckpt", file_sha256(tmp_path / "own.ckpt"))
    (tmp_path / MANIFEST).write_text(f"{'a' * 64}  own.ckpt\n")
    with pytest.raises(ModelUnavailable, match=r"own\.ckpt: SHA-256 is"):
        load_bag("own", tmp_path)


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        ("../x.ckpt", "checkpoint: not the name of a file"),
        ("y.pt", "no checkpoint beside it: y.pt"),
    ],
)
def test_files_that_a_configuration_must_not_name(
    tmp_path: Path, checkpoint: str, reason: str
) -> None:
    save_config(tmp_path / "own.yaml", CONFIGS["scnet"] | {"checkpoint": checkpoint})
    with pytest.raises(ModelUnavailable, match=rf"own\.yaml: {reason}"):
        load_bag("own", tmp_path)


def test_damaged_headers_are_no_models(store: WeightStore) -> None:
    for name, content in {
        "empty": b"",
        "long": b"\xff" * 64,
        "list": b"\x02\0\0\0\0\0\0\0[]",
        "plain": b"\x02\0\0\0\0\0\0\0{}",
        "deep": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    }.items():
        folder = store.folder / name
        folder.mkdir(parents=True)
        (folder / f"{name}.safetensors").write_bytes(content)
        (folder / MANIFEST).write_text(f"{'a' * 64}  {name}.safetensors\n")
    assert not {"empty", "long", "list", "plain", "deep"} & store.models().keys()


def test_a_fetched_network_has_its_configuration_beside_it(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    file = tmp_path / "hub" / "published.safetensors"
    save_file(random_state("mel_band_roformer"), file)
    weights = WeightFile(file.name, file_sha256(file), file.stat().st_size)
    path = save_config(
        tmp_path / "c.yaml", CONFIGS["mel_band_roformer"] | {"checkpoint": file.name}
    )
    source = Source("hub", "https://hub.test/", (weights,))
    terms = license_as_stated("MIT")
    model = Model("ours", (), "", terms, 1, 1, None, path.read_text(), (source,))
    settings = Settings(model_cache=tmp_path / "cache", model_mirror=str(file.parent), offline=True)
    store = WeightStore(settings, {"ours": model})
    made = _stems("ours", store)
    assert _files(store.path("ours")) == [MANIFEST, "ours.yaml", "published.safetensors"]
    save_pair(tmp_path, "plain", "mel_band_roformer")
    assert torch.equal(made, _stems("plain", store, tmp_path))
