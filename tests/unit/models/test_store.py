"""The weight store against real servers and folders, with small made-up weights."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from demucs.hdemucs import HDemucs

from mashup_worker.errors import ModelUnavailable, StorageFailed, UnknownModel
from mashup_worker.licenses import license_as_stated
from mashup_worker.models import fetch
from mashup_worker.models.catalogue import FOUR_STEMS, Model
from mashup_worker.models.checkpoints.repository import load_bag
from mashup_worker.models.digests import MANIFEST, check_sha256, expected_digests
from mashup_worker.models.store import WeightStore
from mashup_worker.models.weight_files import Source, WeightFile
from mashup_worker.settings import Settings
from mashup_worker.system.digests import file_sha256
from tests.checkpoints import HDEMUCS, random_network, save_safetensors, save_th
from tests.weights import BAG, HUB, LEGACY, made_up_model, weight_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.weights import WeightServer


@pytest.fixture
def server() -> Iterator[WeightServer]:
    with weight_server() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def store_of(server: WeightServer, cache: Path, **settings: object) -> WeightStore:
    settings = {"model_mirror": None, "offline": False, **settings}
    return WeightStore(
        Settings(model_cache=cache, **settings),  # type: ignore[arg-type]
        {"tiny": made_up_model(server.address)},
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Weights in a model's folder; fails on anything half-written."""
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    return {
        path.name: path.read_bytes()
        for path in folder.glob("*")
        if path.name not in ("tiny.yaml", MANIFEST)
    }


def test_pull_fills_the_cache_from_the_hub(server: WeightServer, cache: Path) -> None:
    store = store_of(server, cache)
    assert not store.has("tiny")
    seen: list[tuple[int, int]] = []
    folder = store.pull("tiny", lambda done, total: seen.append((done, total)))
    assert folder == cache / "tiny" == store.path("tiny")
    assert store.has("tiny")
    assert contents(folder) == HUB
    assert (folder / "tiny.yaml").read_text() == BAG
    total = sum(map(len, HUB.values()))
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    digests = store.verify("tiny")
    assert set(digests) == {*HUB, "tiny.yaml"}
    assert digests == {name: file_sha256(folder / name) for name in digests}


def test_cached_models_need_no_source(server: WeightServer, cache: Path) -> None:
    store_of(server, cache).pull("tiny")
    server.requests.clear()
    store = store_of(server, cache)
    assert store.ensure("tiny") == store.pull("tiny") == cache / "tiny"
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [None, b"", HUB["bbbb2222.safetensors"][:-1], HUB["bbbb2222.safetensors"] + b"x", b"x" * 7000],
    ids=["missing", "empty", "short", "long", "altered"],
)
def test_a_bad_hub_leads_to_the_legacy_address(
    server: WeightServer, cache: Path, answer: bytes | None
) -> None:
    if answer is None:
        del server.files["/hub/bbbb2222.safetensors"]
    else:
        server.files["/hub/bbbb2222.safetensors"] = answer
    store = store_of(server, cache)
    store.pull("tiny")
    assert set(store.verify("tiny")) == {*LEGACY, "tiny.yaml"}
    assert contents(cache / "tiny").items() >= LEGACY.items()


def test_when_no_source_has_it_the_error_names_them_all(server: WeightServer, cache: Path) -> None:
    server.files = {"/hub/aaaa1111.safetensors": b"x" * len(HUB["aaaa1111.safetensors"])}
    store = store_of(server, cache)
    with pytest.raises(ModelUnavailable) as caught:
        store.ensure("tiny")
    message = caught.value.message
    assert "\n" not in message
    assert message.startswith("tiny: ")
    assert f"hub: {server.address}/hub/aaaa1111.safetensors: SHA-256 is " in message
    assert f"legacy address: {server.address}/legacy/" in message
    assert "404" in message
    assert "MASHUP_MODEL_MIRROR" in message
    assert not store.has("tiny")
    assert contents(cache / "tiny") == {}


def test_a_server_that_is_down(cache: Path) -> None:
    with weight_server() as gone:
        pass
    with pytest.raises(ModelUnavailable, match=r"hub: 127\.0\.0\.1:.*refused.*legacy address: "):
        store_of(gone, cache).pull("tiny")


def test_a_silent_server_is_given_up(
    server: WeightServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "ANSWER_S", 0.1)
    server.silent = {"/hub/aaaa1111.safetensors"}
    store = store_of(server, cache)
    store.pull("tiny")
    assert contents(cache / "tiny") == LEGACY


@pytest.mark.parametrize("layout", ["", "tiny/"], ids=["flat", "a folder a model"])
@pytest.mark.parametrize("offered", [HUB, LEGACY], ids=["safetensors", "th"])
def test_mirrors_of_every_kind(
    server: WeightServer, cache: Path, tmp_path: Path, layout: str, offered: dict[str, bytes]
) -> None:
    mirror = tmp_path / "mirror"
    (mirror / layout).mkdir(parents=True)
    for name, content in offered.items():
        (mirror / layout / name).write_bytes(content)
    store = store_of(server, cache, model_mirror=str(mirror), offline=True)
    assert contents(store.pull("tiny")) == offered
    assert server.requests == []

    server.files = {f"/m/{layout}{name}": content for name, content in offered.items()}
    other = store_of(server, cache / "other", model_mirror=f"{server.address}/m/")
    assert contents(other.pull("tiny")) == offered
    assert all(path.startswith("/m/") for path in server.requests)


def test_a_copy_of_a_cache_is_a_mirror(server: WeightServer, cache: Path) -> None:
    store_of(server, cache).pull("tiny")
    second = store_of(server, cache / "second", model_mirror=str(cache), offline=True)
    assert contents(second.pull("tiny")) == HUB


def test_with_a_mirror_nothing_else_is_asked(
    server: WeightServer, cache: Path, tmp_path: Path
) -> None:
    store = store_of(server, cache, model_mirror=str(tmp_path / "nowhere"))
    with pytest.raises(ModelUnavailable, match=r"mirror: .*nowhere/.* no such file.*unset"):
        store.pull("tiny")
    assert server.requests == []


def test_offline_sends_no_request(server: WeightServer, cache: Path) -> None:
    for mirror in (None, f"{server.address}/hub"):
        store = store_of(server, cache, model_mirror=mirror, offline=True)
        with pytest.raises(ModelUnavailable, match="MASHUP_OFFLINE"):
            store.ensure("tiny")
    assert server.requests == []


def test_offline_opens_no_socket_and_resolves_no_name(cache: Path) -> None:
    program = """
import sys
from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.checkpoints.repository import load_bag
from mashup_worker.models.store import WeightStore
from mashup_worker.settings import load_settings

touched = []
sys.addaudithook(lambda event, _: touched.append(event) if event.startswith("socket.") else None)
for name in ("htdemucs", "mdx"):
    try:
        WeightStore(load_settings()).ensure(name)
    except ModelUnavailable:
        print("unavailable")
print(touched)
"""
    environment = {"MASHUP_MODEL_CACHE": str(cache), "MASHUP_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "unavailable\nunavailable\n[]\n"


def test_verify_finds_a_damaged_file_and_pull_repairs_it(server: WeightServer, cache: Path) -> None:
    store = store_of(server, cache)
    damaged = store.pull("tiny") / "bbbb2222.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelUnavailable) as caught:
        store.verify("tiny")
    assert str(damaged) in caught.value.message
    assert file_sha256(damaged)[:8] in caught.value.message
    server.requests.clear()
    store.pull("tiny")
    assert server.requests == ["/hub/bbbb2222.safetensors"]
    assert contents(cache / "tiny") == HUB


def test_a_manifest_that_agrees_with_altered_weights_is_not_believed(
    server: WeightServer, cache: Path
) -> None:
    store = store_of(server, cache)
    folder = store.pull("tiny")
    altered = folder / "bbbb2222.safetensors"
    before = file_sha256(altered)
    altered.write_bytes(b"something else")
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text().replace(before, file_sha256(altered)))
    with pytest.raises(ModelUnavailable, match=r"bbbb2222\.safetensors: SHA-256 is"):
        store.verify("tiny")


def test_a_missing_file_is_not_a_cached_model(server: WeightServer, cache: Path) -> None:
    store = store_of(server, cache)
    (store.pull("tiny") / "aaaa1111.safetensors").unlink()
    assert not store.has("tiny")
    with pytest.raises(ModelUnavailable, match="mashup models pull tiny"):
        store.path("tiny")
    with pytest.raises(ModelUnavailable, match="mashup models pull tiny"):
        store.verify("tiny")


def test_an_interrupted_pull_leaves_whole_files_and_goes_on_later(
    server: WeightServer, cache: Path
) -> None:
    store = store_of(server, cache)
    first = len(HUB["aaaa1111.safetensors"])

    def interrupt(done: int, _total: int) -> None:
        if done > first:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull("tiny", interrupt)
    assert not store.has("tiny")
    assert set(contents(cache / "tiny")) == {"aaaa1111.safetensors"}
    server.requests.clear()
    store.pull("tiny")
    assert server.requests == ["/hub/bbbb2222.safetensors"]


def test_pulls_at_the_same_time_fetch_once(server: WeightServer, cache: Path) -> None:
    start = threading.Barrier(4)
    folders = []

    def pull() -> None:
        store = store_of(server, cache)
        start.wait()
        folders.append(store.pull("tiny"))

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [cache / "tiny"] * 4
    assert sorted(server.requests) == sorted(f"/hub/{name}" for name in HUB)
    assert contents(cache / "tiny") == HUB


def test_a_cache_that_cannot_be_written(server: WeightServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageFailed, match=r"file/cache/tiny: Not a directory"):
        store_of(server, tmp_path / "file" / "cache").pull("tiny")


def test_pulled_weights_load(cache: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    names = [
        save_safetensors(mirror, "aaaa1111", random_network(HDemucs, HDEMUCS, seed=1)),
        save_th(mirror, "bbbb2222", random_network(HDemucs, HDEMUCS, seed=2)),
    ]
    files = tuple(
        WeightFile(name, file_sha256(mirror / name), (mirror / name).stat().st_size)
        for name in names
    )
    terms = license_as_stated(None)
    model = Model("tiny", FOUR_STEMS, "", terms, 1, 1, None, BAG, (Source("hub", "", files),))
    settings = Settings(model_cache=cache, model_mirror=str(mirror), offline=True)
    folder = WeightStore(settings, {"tiny": model}).ensure("tiny")
    bag = load_bag("tiny", folder)
    assert len(bag.members) == len(model.members)
    assert bag.profile.all_stems == model.stems

    (folder / names[1]).write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable, match=names[1]):
        load_bag("tiny", folder)


def test_unknown_names(cache: Path) -> None:
    store = WeightStore(Settings(model_cache=cache, offline=True))
    assert "lite" not in store.names()
    for work in (store.pull, store.ensure, store.verify, store.path):
        with pytest.raises(UnknownModel, match="htdemucs_ft"):
            work("nope")
        with pytest.raises(ModelUnavailable, match="part of a package"):
            work("lite")


def test_check_sha256(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    check_sha256(path, digest)
    check_sha256(path, digest[:8].upper())
    for wrong in ("00000000", ""):
        with pytest.raises(ModelUnavailable, match="ba7816bf"):
            check_sha256(path, wrong)
    with pytest.raises(ModelUnavailable, match="No such file"):
        check_sha256(tmp_path / "absent", digest)


def test_a_folder_without_a_manifest_expects_nothing(tmp_path: Path) -> None:
    assert expected_digests(tmp_path) == {}


@pytest.mark.parametrize("text", ["nonsense", f"{'0' * 64}  ../outside", f"{'0' * 64}  ", "\0\xff"])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelUnavailable, match=MANIFEST):
        expected_digests(tmp_path)


def test_addresses_that_answer_with_something_else_than_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/file"

        def speak() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"hello\r\n\r\n")

        speaker = threading.Thread(target=speak)
        speaker.start()
        with pytest.raises(fetch.FetchError, match=r"^127\.0\.0\.1:\d+: hello"):
            list(fetch.read_blocks(address, 5))
        speaker.join()
