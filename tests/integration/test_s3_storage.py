"""Storage in a bucket of a real S3 server."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.settings import StorageSettings
from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.storage.objects import check_store, open_storage
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.system.digests import file_sha256
from tests.chaos.arena import until
from tests.store_contract import BODY, FOREIGN_KEYS, ODD_KEY, StoreContract, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mashup_worker.stack.info import StackInfo

SECRET = "a-secret-that-must-not-be-printed"


@pytest.fixture(autouse=True)
def _credentials(services: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", services.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", services.secret_key)


@pytest.fixture
def settings(services: StackInfo, bucket: str) -> StorageSettings:
    return StorageSettings(
        s3_endpoint_url=services.s3_endpoint_url, s3_bucket=bucket, s3_region=services.region
    )


@pytest.fixture
def store(settings: StorageSettings) -> S3Storage:
    return S3Storage(settings)


def changed(settings: StorageSettings, **values: Any) -> S3Storage:
    return S3Storage(settings.model_copy(update=values))


def raw(services: StackInfo) -> Any:
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    return s3_client(services.s3_endpoint_url, keys)


@contextmanager
def literal_store() -> Iterator[tuple[str, list[str]]]:
    """Yield an endpoint whose objects hold their own paths, and the decoded paths requested."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(unquote(self.path))
            self.send_response(200)
            self.send_header("Content-Length", str(len(asked[-1].encode())))
            self.end_headers()
            self.wfile.write(asked[-1].encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


class TestS3(StoreContract):
    pass


def test_settings_open_a_bucket(settings: StorageSettings, tmp_path: Path) -> None:
    opened = open_storage(settings)
    assert isinstance(opened, S3Storage)
    write(opened, tmp_path, "a")
    assert read(opened, tmp_path, "a") == BODY


@pytest.mark.parametrize("copied", [False, True])
def test_objects_have_a_type_a_cache_policy_and_a_digest(
    store: S3Storage, services: StackInfo, bucket: str, tmp_path: Path, copied: bool
) -> None:
    stored = write(store, tmp_path, "a.flac")
    if copied:
        store.copy("a.flac", "b.flac")
    answer = raw(services).get_object(Bucket=bucket, Key="b.flac" if copied else "a.flac")
    assert answer["ContentType"] == "audio/flac"
    assert answer["CacheControl"] == "public, max-age=31536000, immutable"
    assert answer["Metadata"] == {"sha256": stored.sha256}
    assert answer["Body"].read() == BODY  # without checksums inside


def test_objects_of_other_programs_have_no_digest(
    store: S3Storage, services: StackInfo, bucket: str, tmp_path: Path
) -> None:
    raw(services).put_object(Bucket=bucket, Key="foreign", Body=b"foreign")
    found = store.head("foreign")
    assert found is not None
    assert (found.bytes, found.sha256) == (7, None)
    assert read(store, tmp_path, "foreign") == b"foreign"


@pytest.mark.parametrize(
    "key", [*FOREIGN_KEYS, "a//b", "/a", "//a///b.flac", "a?b#c&d=e+f", "'\"<>&*"]
)
def test_objects_of_other_programs_are_read_and_removed_under_any_key(
    store: S3Storage, services: StackInfo, bucket: str, tmp_path: Path, key: str
) -> None:
    raw(services).put_object(Bucket=bucket, Key=key, Body=BODY)
    found = store.head(key)
    assert found is not None
    assert (found.key, found.bytes) == (key, len(BODY))
    assert read(store, tmp_path, key) == BODY
    assert store.key_of(f"s3://{bucket}/{key}") == key
    url = raw(services).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    assert store.key_of(url) == key
    store.copy(key, "copies/1")
    store.delete([key])
    assert [one.key for one in store.list("")] == ["copies/1"]
    assert read(store, tmp_path, "copies/1") == BODY


def test_keys_are_sent_as_they_are(settings: StorageSettings, tmp_path: Path) -> None:
    """Amazon has objects under such keys; the test's S3 server refuses dot segments."""
    keys = ["a/../b", "./a", "a/./b/", "a/..", "..a", "a//../b", "a\\..\\b"]
    with literal_store() as (endpoint, asked):
        store = changed(settings, s3_endpoint_url=endpoint)
        for key in keys:
            assert read(store, tmp_path, key) == f"/{settings.s3_bucket}/{key}".encode()
    assert asked == [f"/{settings.s3_bucket}/{key}" for key in keys]


@pytest.mark.parametrize(
    "key", ["..", "../a", "/../a", "a/../../b", "a\\..\\..\\b", "a\0b", "", "x" * 1025, "\udcff"]
)
def test_keys_outside_the_bucket_are_never_sent(
    settings: StorageSettings, tmp_path: Path, key: str
) -> None:
    with literal_store() as (endpoint, asked):
        store = changed(settings, s3_endpoint_url=endpoint)
        works: list[Callable[[], object]] = [
            lambda: store.get(key, tmp_path / "read"),
            lambda: store.head(key),
            lambda: store.copy(key, "b"),
            lambda: store.delete([key]),
        ]
        for work in works:
            with pytest.raises(InvalidInput, match="not a valid object key"):
                work()
    assert asked == []


@pytest.mark.parametrize("key", ["a/../b", "./a", "x" * 1024])
def test_a_key_that_the_store_refuses_is_the_callers_fault(
    store: S3Storage, tmp_path: Path, key: str
) -> None:
    with pytest.raises(InvalidInput, match=r"no such key|not found"):
        store.get(key, tmp_path / "read")


def test_messages_show_control_characters_escaped(store: S3Storage, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        store.get("a\n\x1b[31mb", tmp_path / "read")
    assert error.value.message == r"'a\n\x1b[31mb': object not found"


def test_large_objects_are_stored_in_parts(store: S3Storage, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(80_000_000)
        file.write(b"not all zeros")
    sha256 = file_sha256(path)
    store.put("large", path, content_type="audio/wav", sha256=sha256)
    store.get("large", tmp_path / "back")
    assert file_sha256(tmp_path / "back") == sha256


def test_lists_span_several_pages(
    store: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mashup_worker.storage.s3._PAGE", 2)
    keys = [f"a/{number}" for number in range(5)]
    for key in keys:
        write(store, tmp_path, key)
    assert sorted(one.key for one in store.list("a/")) == keys


def test_links_expire(settings: StorageSettings, tmp_path: Path) -> None:
    store = changed(settings, url_expiry_s=300.0)
    write(store, tmp_path, "a")
    link = store.link("a")
    assert link.expires_at is not None
    assert timedelta() < link.expires_at - datetime.now(UTC) <= timedelta(seconds=300)
    with urlopen(link.url) as answer:
        assert answer.read() == BODY
    with pytest.raises(HTTPError) as error:
        urlopen(link.url.replace("/a?", "/b?"))
    error.value.close()
    assert error.value.code == 403
    short = changed(settings, url_expiry_s=1.0).link("a").url
    refused: list[HTTPError] = []

    def is_refused() -> bool:
        try:
            urlopen(short).close()
        except HTTPError as error:
            error.close()
            refused.append(error)
        return bool(refused)

    until(is_refused, "the link to expire")
    assert refused[0].code == 403


def test_urls_of_the_bucket_are_recognized(settings: StorageSettings) -> None:
    base = "https://cdn.example/files"
    store, private = changed(settings, public_base_url=base), S3Storage(settings)
    link = store.link(ODD_KEY)
    assert link.expires_at is None
    assert link.url.startswith(base + "/a%20b/")
    endpoint, bucket = settings.s3_endpoint_url or "", settings.s3_bucket
    host = urlsplit(endpoint).netloc
    urls = {
        link.url: ODD_KEY,
        f"s3://{bucket}/a%20b/c": "a%20b/c",
        f"{endpoint}/{bucket}/a/b": "a/b",
        f"{endpoint}/{bucket}/a%2Fb?X-Amz-Signature=1": "a/b",
        f"http://{bucket}.{host}/a/b": "a/b",
        f"{endpoint}/other/a/b": None,
        f"{endpoint}/{bucket}-2/a/b": None,
        f"http://other.{host}/a/b": None,
        f"https://{host}/{bucket}/a/b": None,
        f"http://127.0.0.1:1/{bucket}/a/b": None,
        f"s3://{bucket}": None,
        f"s3://{bucket}-2/a": None,
    }
    assert {url: store.key_of(url) for url in urls} == urls
    assert store.key_of(private.link(ODD_KEY).url) == ODD_KEY
    assert private.key_of(link.url) is None
    with pytest.raises(InvalidInput):
        store.key_of(f"{endpoint}/{bucket}/a/../b")


def test_urls_of_amazon_are_recognized() -> None:
    store = S3Storage(StorageSettings(s3_bucket="songs", s3_region="eu-west-1"))
    for url in (
        "https://songs.s3.eu-west-1.amazonaws.com/a/b",
        "https://s3.eu-west-1.amazonaws.com/songs/a/b?versionId=1",
        "https://songs.s3.amazonaws.com/a/b",
        store.link("a/b").url,
    ):
        assert store.key_of(url) == "a/b"


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
