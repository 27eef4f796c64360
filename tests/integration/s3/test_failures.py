"""Failures of S3: wrong settings, absent and silent servers, and damaged transfers."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.storage.objects import check_store
from mashup_worker.storage.s3 import S3Storage
from tests.integration.s3.clients import changed
from tests.store_contract import BODY, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.settings import StorageSettings
    from mashup_worker.stack.info import StackInfo


SECRET = "a-secret-that-must-not-be-printed"


def messages(store: S3Storage, folder: Path) -> list[str]:
    """Return the message of each operation; all must fail."""
    found = []
    for work in (
        lambda: write(store, folder, "some/key"),
        lambda: store.get("some/key", folder / "read"),
        lambda: store.head("some/key"),
        lambda: store.copy("some/key", "other"),
        lambda: store.delete(["some/key"]),
        lambda: list(store.list("some/key")),
        lambda: check_store(store),
    ):
        with pytest.raises(StorageFailed) as error:
            work()
        found.append(error.value.message)
    assert not (folder / "read").exists()
    assert all("\n" not in message for message in found)
    assert all(message.startswith("some/key: ") for message in found[:-1])
    return found


@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_not_printed(
    settings: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv(wrong, SECRET)
    for message in messages(S3Storage(settings), tmp_path):
        assert f"access to bucket {settings.s3_bucket} refused" in message
        assert SECRET not in message


def test_credentials_that_are_no_header_are_not_printed(
    settings: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRET + "\n")
    with pytest.raises(StorageFailed) as error:
        write(S3Storage(settings), tmp_path, "a")
    assert SECRET not in error.value.message


def test_a_missing_bucket_is_named(settings: StorageSettings, tmp_path: Path) -> None:
    store = changed(settings, s3_bucket="no-such-bucket")
    # Only reads: this server creates a bucket when it is written.
    for work in (lambda: store.get("a", tmp_path / "read"), lambda: list(store.list("a"))):
        with pytest.raises(StorageFailed, match="no-such-bucket"):
            work()


def test_an_unreachable_server_fails_in_time(
    settings: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mashup_worker.storage.s3._TRIES", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = changed(settings, s3_endpoint_url=f"http://127.0.0.1:{port}")
    begin_s = time.monotonic()
    messages(store, tmp_path)
    assert time.monotonic() - begin_s < 60


def test_a_silent_server_fails_in_time(
    settings: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mashup_worker.storage.s3._TRIES", 1)
    monkeypatch.setattr("mashup_worker.storage.s3._READ_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        port = listener.getsockname()[1]
        store = changed(settings, s3_endpoint_url=f"http://127.0.0.1:{port}")
        begin_s = time.monotonic()
        messages(store, tmp_path)
        assert time.monotonic() - begin_s < 60


@pytest.mark.parametrize("endpoint", ["nonsense", "http://key:secret@127.0.0.1"])
def test_invalid_endpoints_are_refused(settings: StorageSettings, endpoint: str) -> None:
    with pytest.raises(InvalidInput, match="S3"):
        changed(settings, s3_endpoint_url=endpoint)


class DamagingProxy:
    """Proxy that changes bytes of requests, or cuts off answers."""

    def __init__(self, port: int, to_store: bytes = b"", answer_bytes: int | None = None) -> None:
        self._target, self._to_store, self._answer_bytes = port, to_store, answer_bytes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as store:
            out = threading.Thread(target=self._pump, args=(client, store), daemon=True)
            out.start()
            left = self._answer_bytes
            try:
                while data := store.recv(65_536 if left is None else min(left, 65_536)):
                    client.sendall(data)
                    left = None if left is None else left - len(data)
                    if left == 0:
                        break
            except OSError:
                pass
            finally:
                for one in (client, store):
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                out.join(5)

    def _pump(self, client: socket.socket, store: socket.socket) -> None:
        try:
            while data := client.recv(65_536):
                store.sendall(data.replace(self._to_store, self._to_store[::-1]))
        except OSError:
            pass


@pytest.fixture
def damaged(services: StackInfo, settings: StorageSettings) -> Iterator[Any]:
    proxies: list[DamagingProxy] = []

    def start(**options: Any) -> S3Storage:
        port = urlsplit(services.s3_endpoint_url).port
        assert port is not None
        proxies.append(DamagingProxy(port, **options))
        return changed(settings, s3_endpoint_url=proxies[-1].url)

    yield start
    for one in proxies:
        one.close()


def test_damaged_uploads_are_refused(damaged: Any, store: S3Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match=r"^a: the store answered "):
        write(damaged(to_store=b"the very"), tmp_path, "a")
    assert store.head("a") is None


def test_a_truncated_download_leaves_no_file(
    damaged: Any, store: S3Storage, tmp_path: Path
) -> None:
    write(store, tmp_path, "a", BODY * 20)
    with pytest.raises(StorageFailed, match=r"^a: "):
        damaged(answer_bytes=100_000).get("a", tmp_path / "into" / "read")
    assert not (tmp_path / "into").exists()
