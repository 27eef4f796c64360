"""Clients that vanish, dawdle and lie, against a real `mashup api`."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
import soundfile

from mashup_worker.api.links import link
from mashup_worker.settings import StorageSettings
from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.storage.s3 import S3Storage
from tests.integration.api.process import ApiProcess, api_process, until
from tests.integration.api.world import JWT_SECRET, user_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.stack.info import StackInfo
    from tests.integration.api.process import RawClient

BODY_TIMEOUT_S = 5
MAX_BYTES = 40_000_000
FLAT_MB = 16.0
"""Growth of the peak of memory that is noise: buffers and threads, but no file."""

USER = uuid4()
TOKEN = f"Authorization: Bearer {user_token(USER)}\r\n".encode()
PART = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
)
END = b"\r\n--b--\r\n"


def wav(duration_s: float) -> bytes:
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(-999, 999, (round(duration_s * 44_100), 2), np.int16)
    soundfile.write(data, noise, 44_100, format="WAV")
    return data.getvalue()


SONG = wav(1.0)


@pytest.fixture(scope="module")
def environment(services: StackInfo) -> dict[str, str]:
    bucket = f"hostile-{uuid4().hex[:8]}"
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    s3_client(services.s3_endpoint_url, keys).create_bucket(Bucket=bucket)
    return {
        **services.environment(),
        "DATABASE_URL": services.api_database_url,
        "S3_BUCKET": bucket,
        "MASHUP_API_URL": "http://api.test",
        "MASHUP_API_SECRET": "a secret of the tests, long enough",
        "SUPABASE_JWT_SECRET": JWT_SECRET,
        "MASHUP_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
        "MASHUP_MAX_FETCH_BYTES": str(MAX_BYTES),
    }


@pytest.fixture(scope="module")
def running(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiProcess]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        store = S3Storage(StorageSettings())
        with api_process(environment, tmp_path_factory.mktemp("scratch"), store) as process:
            # The first upload loads the client of S3, which is no leak.
            store.delete([uploaded(process, SONG)])
            yield process


@pytest.fixture
def api(running: ApiProcess) -> Iterator[ApiProcess]:
    """The running API, in which each test leaves nothing."""
    yield running
    until(running.is_idle)
    assert running.keys() == []
    with running.client() as client:
        client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.answer()
    assert answer is not None
    assert answer.status == 200


def head(length: int | None, *more: bytes, path: bytes = b"/api/upload") -> bytes:
    """The start of an upload; with None as length, in chunks."""
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"".join(
        [
            b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n",
            b"Content-Type: multipart/form-data; boundary=b\r\n" + size + b"\r\n",
            *(more or (TOKEN,)),
            b"\r\n",
        ]
    )


def form(content: bytes) -> bytes:
    return PART + content + END


def chunk(content: bytes) -> bytes:
    return b"%x\r\n" % len(content) + content + b"\r\n"


def request(api: ApiProcess, *parts: bytes) -> tuple[int, str]:
    """Return status and detail of the answer; the connection must be closed after it."""
    with api.client() as client:
        client.send(*parts)
        answer = client.answer()
        assert answer is not None
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert client.is_closed_by_server()
    return answer.status, answer.document["detail"]


def uploaded(api: ApiProcess, content: bytes) -> str:
    """Upload a file; return its key."""
    body = form(content)
    with api.client() as client:
        client.send(head(len(body)), body)
        answer = client.answer()
    assert answer is not None
    assert answer.status == 201, answer.body
    key: str = answer.document["key"]
    return key


def size_of(path: Path) -> int:
    """Return the size of a file; 0 if it has vanished."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def started(api: ApiProcess, client: RawClient, size: int, count: int = 1) -> None:
    """Send the start of a file, and wait until the API has `count` files."""
    client.send(head(10**7), PART, bytes(size))
    until(lambda: sum(map(bool, map(size_of, api.files()))) == count)


def test_a_large_song_is_never_in_memory(api: ApiProcess) -> None:
    content = wav(220.0)
    assert len(content) > 1e6 * FLAT_MB * 1.5
    with api.flat_memory(FLAT_MB):
        key = uploaded(api, content)
    found = api.store.head(key)
    assert found is not None
    assert found.bytes == len(content)
    api.store.delete([key])


def test_clients_that_vanish_in_a_body(api: ApiProcess) -> None:
    with api.flat_memory(FLAT_MB):
        for _ in range(5):
            clients = [api.client() for _ in range(8)]  # as many as a user may have
            for count, client in enumerate(clients, 1):
                started(api, client, 2 << 20, count)
            for number, client in enumerate(clients):
                if number % 2:
                    client.end()
                client.close()
            until(api.is_idle)


def test_a_client_that_vanishes_before_its_answer(api: ApiProcess) -> None:
    """While its file is decoded."""
    body = form(wav(200.0))
    with api.client() as client:
        client.send(head(len(body)), body)
        until(api.is_decoding)


def test_an_end_in_the_midst_of_a_body(api: ApiProcess) -> None:
    with api.client() as client:
        started(api, client, 2 << 20)
        client.end()
        assert client.is_closed_by_server()


def test_truncated_forms(api: ApiProcess) -> None:
    body = PART + SONG
    with api.client() as client:
        client.send(head(len(body)), body)
        answer = client.answer()
    assert answer is not None
    assert (answer.status, "truncated" in answer.document["detail"]) == (422, True)


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_slow_bodies(api: ApiProcess, piece: bytes) -> None:
    """A pause to the end, and single bytes."""
    start_s = time.monotonic()
    with api.client() as client:
        client.send(head(10**6), PART)
        while piece and time.monotonic() < start_s + BODY_TIMEOUT_S:
            client.send(piece)
            time.sleep(0.1)
        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert client.is_closed_by_server()
    assert BODY_TIMEOUT_S <= time.monotonic() - start_s < BODY_TIMEOUT_S + 15


def test_a_body_in_chunks_without_a_length(api: ApiProcess) -> None:
    with api.client() as client:
        parts = (PART, SONG[:1_000], SONG[1_000:], END)
        client.send(head(None), *map(chunk, parts), chunk(b""))
        answer = client.answer()
    assert answer is not None
    assert answer.status == 201
    api.store.delete([answer.document["key"]])


def test_an_endless_body_in_chunks(api: ApiProcess) -> None:
    with api.flat_memory(FLAT_MB):
        blocks = [chunk(bytes(1 << 20))] * (MAX_BYTES // (1 << 20) + 20)
        status, detail = request(api, head(None), chunk(PART), *blocks, chunk(b""))
    assert status == 413
    assert "larger than the limit" in detail


def test_a_large_length_is_refused_before_the_body(api: ApiProcess) -> None:
    with api.client() as client:
        client.send(head(10**12, TOKEN, b"Expect: 100-continue\r\n"))
        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.document["code"]) == (413, "too_large")
        assert client.is_closed_by_server()


def test_nothing_is_asked_of_a_client_without_a_token(api: ApiProcess) -> None:
    with api.client() as client:
        client.send(head(1_000, b"Expect: 100-continue\r\n"))
        answer = client.answer()
    assert answer is not None
    assert answer.status == 401  # and not 100
    body = form(bytes(2 << 20))
    for path in (b"/api/upload", b"/api/uploads", b"/v1/files", b"/v1/predictions"):
        assert request(api, head(len(body), b"X: x\r\n", path=path), body)[0] in (401, 404)
        assert api.files() == []


def test_ten_thousand_parts(api: ApiProcess) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
    body = part * 10_000 + b"--b--\r\n"
    with api.flat_memory(FLAT_MB):
        status, detail = request(api, head(len(body)), body)
    assert (status, "more than 20 parts" in detail) == (422, True)


def test_interleaved_parts(api: ApiProcess) -> None:
    """Two files in one field by turns, and a form within a form."""
    half = len(SONG) // 2
    turns = (PART + SONG[:half] + b"\r\n" + PART + SONG[half:] + b"\r\n") * 2 + b"--b--\r\n"
    with api.client() as client:
        client.send(head(len(turns)), turns)
        answer = client.answer()
    assert answer is not None
    assert (answer.status, "more than one file" in answer.document["detail"]) == (422, True)
    inner = form(SONG).replace(b"--b", b"--inner")
    nested = form(b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n" + inner)
    with api.client() as client:
        client.send(head(len(nested)), nested)
        answer = client.answer()
    assert answer is not None
    assert answer.status == 415


@pytest.mark.parametrize("complete", [True, False])
def test_a_megabyte_of_headers(api: ApiProcess, complete: bool) -> None:
    large = b"X: " + b"x" * 1_000_000
    with api.flat_memory(FLAT_MB), api.client() as client:
        client.send(head(100, TOKEN, large + (b"\r\n" if complete else b"")))
        answer = client.answer()  # may be lost, as the server closes at once
        assert answer is None or answer.status == 400
        assert client.is_closed_by_server()


def test_a_megabyte_of_headers_in_a_part(api: ApiProcess) -> None:
    body = PART[:-2] + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n" + SONG + END
    status, detail = request(api, head(len(body)), body)
    assert (status, "header size" in detail) == (422, True)


def test_a_client_that_vanishes_in_a_download_frees_the_store(
    api: ApiProcess, environment: dict[str, str]
) -> None:
    key = uploaded(api, wav(200.0))
    port = urlsplit(environment["S3_ENDPOINT_URL"]).port
    assert port is not None
    before = api.connections_to(port)
    with api.client() as probe:
        body = form(SONG)
        probe.send(head(len(body)), body)
        answer = probe.answer()
    assert answer is not None
    small = answer.document["key"]
    url = urlsplit(link_of(environment, key))
    with api.flat_memory(FLAT_MB):
        clients = [api.client() for _ in range(4)]
        for client in clients:
            client.send(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.receive(9) == b"HTTP/1.1 "
        until(lambda: api.connections_to(port) >= 4)
        for client in clients:
            client.close()
        until(lambda: api.connections_to(port) <= before + 1)
    api.store.delete([key, small])


def link_of(environment: dict[str, str], key: str) -> str:
    context: Any = SimpleNamespace(
        url=environment["MASHUP_API_URL"], secret=environment["MASHUP_API_SECRET"].encode()
    )
    return link(context, key, "a.wav", 60).url


def test_a_kill_leaves_only_files_that_the_next_start_removes(
    api: ApiProcess, environment: dict[str, str]
) -> None:
    with api_process(environment, api.scratch, api.store) as killed, killed.client() as client:
        started(killed, client, 2 << 20)
        killed.process.kill()
        killed.process.wait()
    assert len(api.files()) == 1
    assert api.keys() == []
    with api_process(environment, api.scratch, api.store) as second:
        until(lambda: second.files() == [])
    assert len(list(api.scratch.iterdir())) == 1  # the folder of the first process
