"""Files behind signed links, from S3 and from a folder."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from mashup_worker.api import serving
from mashup_worker.api.links import key_in, link
from mashup_worker.api.serving import content_disposition, object_response
from mashup_worker.errors import NotFound, StorageFailed
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.objects import READ_BLOCK_BYTES
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from starlette.types import Message

    from mashup_worker.api.context import ApiContext
    from tests.integration.api.world import World

BODY = bytes(range(256)) * 4_000
KEY = "uploads/alice/1/a song, ü+%41.flac"
NAME = "ü & 100%? #1.flac"


@pytest.fixture(params=["s3", "folder"])
def context(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> ApiContext:
    """Services of the API with the object `KEY`."""
    context: ApiContext = world.client.app.state.context  # type: ignore[attr-defined]
    if request.param == "folder":
        context = replace(context, storage=FolderStorage(tmp_path / "store"))
        world.client.app.state.context = context  # type: ignore[attr-defined]
    put(context, tmp_path, KEY, BODY)
    return context


def put(context: ApiContext, folder: Path, key: str, body: bytes) -> str:
    path = folder / "body"
    path.write_bytes(body)
    sha256 = file_sha256(path)
    context.storage.put(key, path, content_type="audio/flac", sha256=sha256)
    return sha256


def address(context: ApiContext, key: str = KEY, name: str = NAME, lifetime_s: float = 60) -> str:
    url = link(context, key, name, lifetime_s).url
    assert url.startswith(context.url + "/v1/files/")
    return url.removeprefix(context.url)


def test_a_link_serves_the_whole_file_without_a_token(world: World, context: ApiContext) -> None:
    sha256 = context.storage.head(KEY).sha256  # type: ignore[union-attr]
    url = address(context)
    assert unquote(url.partition("?")[0].rpartition("/")[2]) == NAME
    answer = world.client.get(url)
    assert (answer.status_code, answer.content) == (200, BODY)
    wanted = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Length": str(len(BODY)),
        "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
        "Content-Type": "audio/flac",
        "ETag": f'"{sha256}"',
        "X-Content-Type-Options": "nosniff",
    }
    assert {name: answer.headers[name] for name in wanted} == wanted
    assert "Content-Disposition" not in answer.headers
    head = world.client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in wanted} == wanted


def test_one_range_is_served(world: World, context: ApiContext) -> None:
    url = address(context)
    for asked, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=5-600000", 5, 600_001),
        ("bytes=1000-", 1_000, len(BODY)),
        ("bytes=-10", len(BODY) - 10, len(BODY)),
        (f"bytes=-{10 * len(BODY)}", 0, len(BODY)),
        (f"bytes=7-{10 * len(BODY)}", 7, len(BODY)),
    ):
        answer = world.client.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, BODY[start:stop]), asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"
        assert answer.headers["Content-Length"] == str(stop - start)


def test_other_ranges_are_ignored(world: World, context: ApiContext) -> None:
    url = address(context)
    for asked in ("bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=0-1", "x"):
        answer = world.client.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, BODY), asked


def test_ranges_without_bytes_are_refused(world: World, context: ApiContext) -> None:
    url = address(context)
    for asked in (f"bytes={len(BODY)}-", "bytes=-0", f"bytes={'9' * 30}-"):
        answer = world.client.get(url, headers={"Range": asked})
        assert answer.status_code == 416, asked
        assert answer.headers["Content-Range"] == f"bytes */{len(BODY)}"
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_conditions(world: World, context: ApiContext) -> None:
    url = address(context)
    first = world.client.get(url)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = world.client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert world.client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    for condition, status in ((etag, 206), (modified, 206), ('"other"', 200), (f"W/{etag}", 200)):
        asked = {"Range": "bytes=0-1", "If-Range": condition}
        assert world.client.get(url, headers=asked).status_code == status


def test_an_empty_file(world: World, context: ApiContext, tmp_path: Path) -> None:
    put(context, tmp_path, "empty.flac", b"")
    url = address(context, "empty.flac")
    answer = world.client.get(url)
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")
    assert world.client.get(url, headers={"Range": "bytes=0-"}).status_code == 416


def test_links_are_recognized(context: ApiContext) -> None:
    url = link(context, KEY, NAME, 60).url
    assert key_in(context, url) == KEY
    for foreign in ("", KEY, "https://example.com/v1/files/a/b", f"{context.url}/v1/predictions"):
        assert key_in(context, foreign) is None
    for wrong in (
        url[:-3],
        url.partition("?")[0],
        url.replace("expires=", "expires=" + "9" * 5_000),
    ):
        with pytest.raises(NotFound):
            key_in(context, wrong)


def test_invalid_links_are_answered_like_missing_files(world: World, context: ApiContext) -> None:
    url, longer = address(context), address(context, lifetime_s=999)
    api = context.settings.api.model_copy(update={"api_secret": SecretStr("another" * 8)})
    other = address(replace(context, settings=replace(context.settings, api=api)))
    path, _, query = url.partition("?")
    token, _, name = path.removeprefix("/v1/files/").partition("/")
    forged = [
        other,
        address(context, lifetime_s=-1),
        url.replace(re.findall(r"expires=(\d+)", url)[0], re.findall(r"expires=(\d+)", longer)[0]),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        f"/v1/files/{address(context, 'other.flac').split('/')[3]}/{name}?{query}",
        f"/v1/files/{token}/other.flac?{query}",
        f"{path}?expires={int(time.time()) + 60}&sig=%C3%BC",
    ]
    missing = world.client.get(address(context, "no/such.flac"))
    for wrong in forged:
        answer = world.client.get(wrong)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), wrong
        assert answer.json()["title"] == missing.json()["title"]
    assert missing.status_code == 404
    assert world.client.get(path).status_code == 422


def test_odd_names_stay_one_segment_of_a_link(world: World, context: ApiContext) -> None:
    for name in ("..", ".", "", "a/../b", "a\nb", "\ud800"):
        answer = world.client.get(address(context, name=name), headers={"Range": "bytes=0-1"})
        assert answer.status_code == 206, name


def test_a_download_has_a_name(context: ApiContext) -> None:
    request = Request({"type": "http", "method": "HEAD", "headers": []})
    answer = object_response(request, context.storage, KEY, download_name='ü "1".flac')
    assert answer.headers["Content-Disposition"] == content_disposition('ü "1".flac')
    assert answer.headers["Content-Length"] == str(len(BODY))
    with pytest.raises(NotFound):
        object_response(request, context.storage, "no/such")


@dataclass
class Reader:
    """Client that stops at the second part of an answer, and vanishes when `gone` is set."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    parts: list[Message] = field(default_factory=list)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, part: Message) -> None:
        self.parts.append(part)
        if len(self.parts) == 2:
            await asyncio.Event().wait()

    async def read(self, context: ApiContext, *, vanish: bool = False) -> Any:
        """Read an object; return the generator of its blocks."""
        scope = {"type": "http", "method": "GET", "headers": []}
        answer: Any = object_response(Request(scope), context.storage, KEY)
        reading = asyncio.create_task(answer(scope, self.receive, self.send))
        while len(self.parts) < 2:
            await asyncio.sleep(0.01)
        if vanish:
            self.gone.set()
        await asyncio.wait_for(reading, 30)
        return answer.blocks


def test_clients_that_vanish_close_the_object(context: ApiContext) -> None:
    blocks = asyncio.run(Reader().read(context, vanish=True))
    assert blocks.gi_frame is None


def test_clients_that_read_nothing_close_the_object(
    context: ApiContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_STALL_S", 0.2)
    reader = Reader()
    blocks = asyncio.run(reader.read(context))
    assert blocks.gi_frame is None
    assert len(reader.parts) == 2


@pytest.mark.parametrize("sent_bytes", [0, READ_BLOCK_BYTES])
def test_a_store_that_fails(
    world: World, context: ApiContext, sent_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the answer it is an error; later it ends the connection in the midst of the body."""

    def failing(*_: object) -> Generator[bytes]:
        if sent_bytes:
            yield BODY[:sent_bytes]
        raise StorageFailed("store: gone")

    monkeypatch.setattr(type(context.storage), "read_range", failing)
    answer = world.client.get(address(context))
    if sent_bytes:
        assert (answer.status_code, answer.content) == (200, BODY[:sent_bytes])
        assert answer.headers["Content-Length"] == str(len(BODY))
    else:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.mp3", "attachment; filename=\"a b.mp3\"; filename*=UTF-8''a%20b.mp3"),
        ('ü"\\.mp3', "attachment; filename=\"___.mp3\"; filename*=UTF-8''%C3%BC%22%5C.mp3"),
        ("a\r\nX: y", "attachment; filename=\"a__X: y\"; filename*=UTF-8''a__X%3A%20y"),
    ],
)
def test_names_of_downloads(name: str, header: str) -> None:
    assert content_disposition(name) == header
