"""Objects in S3: keys, lists, links and addresses."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.settings import StorageSettings
from mashup_worker.storage.objects import open_storage
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.system.digests import file_sha256
from tests.chaos.arena import until
from tests.integration.s3.clients import changed, raw
from tests.store_contract import BODY, FOREIGN_KEYS, ODD_KEY, StoreContract, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mashup_worker.stack.info import StackInfo


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
