"""Uploads through the API, and tickets for uploads to the store."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen
from uuid import UUID

import httpx2
import numpy as np
import pytest
import soundfile

from mashup_worker.api import uploads
from mashup_worker.api.forms import OVERHEAD_BYTES, safe_name
from mashup_worker.api.uploads import remove_leftovers
from mashup_worker.errors import StorageFailed
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.s3 import S3Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.api.context import ApiContext
    from tests.integration.api.world import World

RATE_HZ = 44_100
MAX_BYTES = 2_000_000


def song(duration_s: float = 1.0, format_: str = "FLAC") -> bytes:
    data = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (round(duration_s * RATE_HZ), 2))
    soundfile.write(data, noise, RATE_HZ, format=format_)
    return data.getvalue()


SONG = song()


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for temporary files of the API; limits of uploads."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("MASHUP_SCRATCH", str(folder))
    monkeypatch.setenv("MASHUP_MAX_FETCH_BYTES", str(MAX_BYTES))
    monkeypatch.setenv("MASHUP_MAX_DURATION_S", "5")
    return folder


@pytest.fixture
def context(world: World) -> ApiContext:
    context: ApiContext = world.client.app.state.context  # type: ignore[attr-defined]
    return context


def upload(world: World, content: bytes, name: str = "song.flac", **more: Any) -> httpx2.Response:
    headers = more.pop("headers", None) or world.as_user(world.alice)
    files = more.pop("files", {"file": (name, content)})
    answer: httpx2.Response = world.client.post("/api/upload", files=files, headers=headers, **more)
    return answer


def assert_nothing_left(context: ApiContext, scratch: Path) -> None:
    assert list(context.storage.list("")) == []
    files = [path.name for path in scratch.rglob("*") if not path.is_dir()]
    assert files in ([], ["lock"])


def test_an_upload_is_stored_and_served(world: World, context: ApiContext, scratch: Path) -> None:
    answer = upload(world, SONG, "My song (ü).flac", data={"note": "dropped"})
    assert answer.status_code == 201, answer.text
    document = answer.json()
    key = document["key"]
    prefix, owner, number, name = key.split("/")
    assert (prefix, owner, name) == ("uploads", str(world.alice), "My song (ü).flac")
    assert UUID(number).version == 4
    assert document == {
        "url": document["url"],
        "key": key,
        "filename": "My song (ü).flac",
        "size": len(SONG),
        "duration_s": 1.0,
    }
    with urlopen(context.storage.link(key).url) as stored:
        assert stored.headers["Content-Type"] == "audio/flac"
    served = world.client.get(document["url"].removeprefix(context.url))
    assert (served.content, served.headers["Content-Type"]) == (SONG, "audio/flac")
    found = context.storage.head(key)
    assert found is not None
    assert served.headers["ETag"] == f'"{found.sha256}"'
    context.storage.delete([key])
    assert_nothing_left(context, scratch)


def test_only_the_owner_may_use_an_upload_in_jobs(world: World) -> None:
    """By its key or by its link, which is stored as the key, since it expires."""
    world.subscribe(world.alice, "studio")
    document = upload(world, SONG).json()
    for address in (document["key"], document["url"]):
        bodies: tuple[tuple[str, dict[str, Any]], ...] = (
            ("/api/audio/separate", {"audio": address}),
            ("/api/jobs", {"job_type": "analyze", "input": {"stems": {"vocals": address}}}),
        )
        for path, body in bodies:
            answer = world.client.post(path, json=body, headers=world.as_user(world.bob))
            assert answer.status_code == 404, answer.text
            answer = world.client.post(path, json=body, headers=world.as_user(world.alice))
            assert answer.status_code == 202, answer.text
    forged = {"audio": document["url"][:-4] + "AAAA"}
    alice = world.as_user(world.alice)
    assert world.client.post("/api/audio/separate", json=forged, headers=alice).status_code == 404
    separate = {"audio": document["key"]}
    analyze = {"stems": {"vocals": document["key"]}}
    rows = world.rows("SELECT input_data FROM ai_jobs ORDER BY created_at")
    assert [row["input_data"] for row in rows] == [separate, analyze] * 2


def test_services_upload_for_themselves_and_for_users(world: World) -> None:
    service = world.as_service()
    assert upload(world, SONG, headers=service).json()["key"].startswith("uploads/service/")
    acting = {**service, "Mashup-User": str(world.bob)}
    assert upload(world, SONG, headers=acting).json()["key"].startswith(f"uploads/{world.bob}/")
    assert upload(world, SONG, headers=world.as_service("read")).status_code == 403


def test_an_upload_without_a_token_is_not_read(
    world: World, context: ApiContext, scratch: Path
) -> None:
    read: list[bytes] = []

    def body() -> Iterator[bytes]:
        for _ in range(5):
            read.append(b"x" * 1_000)
            yield read[-1]

    headers = {"Content-Type": "multipart/form-data; boundary=b", "Expect": "100-continue"}
    for path in ("/api/upload", "/api/uploads"):
        answer = world.client.post(path, content=body(), headers=headers)
        assert (answer.status_code, answer.headers["Connection"]) == (401, "close")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert list(scratch.iterdir()) == []
    assert list(context.storage.list("")) == []


B = "--b\r\n"
DISPOSITION = 'Content-Disposition: form-data; name="file"; filename="a.flac"\r\n'
PART = f"{B}{DISPOSITION}\r\n".encode()
OTHER = f'{B}Content-Disposition: form-data; name="x"\r\n\r\n'.encode()
END = b"\r\n--b--\r\n"


DAMAGED = (
    (b"", "truncated"),
    (PART + SONG, "truncated"),
    (PART + SONG + END[:-4], "truncated"),
    (b"--b--\r\n", "no file in a field 'file'"),
    (OTHER + SONG[:100] + END, "no file in a field 'file'"),
    (PART + SONG + b"\r\n" + PART + SONG + END, "more than one file"),
    ((OTHER + b"\r\n") * 10_000 + END[2:], "more than 20 parts"),
    (OTHER + bytes(1 << 17) + END, "too large"),
    (b"nonsense" + PART + SONG + END, "not multipart"),
    (PART[:-2] + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n" + SONG + END, "header size"),
    (PART[:-2] + b"X: x\r\n" * 1_000 + b"\r\n" + SONG + END, "header count"),
    (PART + END, "a.flac: empty file"),
)


def test_damaged_forms_are_refused(world: World, context: ApiContext, scratch: Path) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "multipart/form-data; boundary=b"}
    for body, detail in DAMAGED:
        answer = world.client.post("/api/upload", content=body, headers=headers)
        assert answer.status_code == 422, detail
        assert detail in answer.json()["detail"]
    assert_nothing_left(context, scratch)


def test_other_bodies_are_refused(world: World) -> None:
    for kind in ("", "text/plain", "multipart/form-data", "application/json"):
        headers = {**world.as_user(world.alice), "Content-Type": kind}
        answer = world.client.post("/api/upload", content=b"{}", headers=headers)
        assert answer.status_code == 422, kind
        assert "multipart/form-data with a boundary" in answer.json()["detail"]


def test_files_beyond_the_limits_leave_nothing(
    world: World, context: ApiContext, scratch: Path
) -> None:
    for content, status, code in (
        (b"hello", 415, "unsupported_audio"),
        (SONG[: len(SONG) // 2], 415, "unsupported_audio"),
        (song(6.0), 422, "too_long"),
        (bytes(MAX_BYTES + 1), 413, "too_large"),
        (bytes(MAX_BYTES + OVERHEAD_BYTES), 413, "too_large"),
    ):
        answer = upload(world, content)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert str(scratch) not in answer.text
    assert_nothing_left(context, scratch)


def test_a_body_without_length_is_cut_off_at_the_limit(
    world: World, context: ApiContext, scratch: Path
) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield PART
        while sent < 10 * MAX_BYTES:
            sent += 1 << 16
            yield bytes(1 << 16)

    headers = {**world.as_user(world.alice), "Content-Type": "multipart/form-data; boundary=b"}
    answer = world.client.post("/api/upload", content=body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert_nothing_left(context, scratch)


def test_a_failing_store_leaves_nothing(
    world: World, context: ApiContext, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = S3Storage.put

    def late(*args: Any, **more: Any) -> None:
        put(*args, **more)
        raise StorageFailed("store: its answer was lost")

    monkeypatch.setattr(S3Storage, "put", late)
    answer = upload(world, SONG)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert_nothing_left(context, scratch)


def test_a_missing_scratch_folder_is_an_error_of_the_service(world: World, scratch: Path) -> None:
    scratch.rmdir()
    assert upload(world, SONG).status_code == 503


def test_objects_without_an_answer_are_removed_by_the_next_start(
    world: World, context: ApiContext, scratch: Path
) -> None:
    """A process that was killed between the writing of the object and its answer."""
    key, other = (upload(world, SONG).json()["key"] for _ in range(2))
    left = scratch / "mashup-api-killed"
    (left / "upload").mkdir(parents=True)
    (left / "lock").touch()
    (left / "upload" / "key").write_text(key)
    remove_leftovers(context.scratch, context.storage)
    assert not left.exists()
    assert [one.key for one in context.storage.list("")] == [other]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("song.mp3", "song.mp3"),
        ("../../etc/passwd", "passwd.bin"),
        ("C:\\Users\\a\\song.WAV", "song.wav"),
        ("..", "audio.bin"),
        ("", "audio.bin"),
        (".mp3", "mp3.bin"),
        (".hidden.flac", "hidden.flac"),
        ("page.html", "page.html.bin"),
        ('a"<b>|?*#%.flac', "a__b______.flac"),
        ("a\0\r\n\u202e.flac", "a____.flac"),
        ("u\u0308 日本 🎵.flac", "ü 日本 🎵.flac"),
        ("ü" * 200 + ".flac", "ü" * 80 + ".flac"),
        ("\ud800.flac", "_.flac"),
    ],
)
def test_names_are_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_quotation_marks_that_browsers_encode_are_decoded(world: World) -> None:
    body = (
        b"--x\r\nContent-Disposition: form-data; "
        b'name="file"; filename="My %22song%22 100%.flac"\r\n\r\n' + SONG + b"\r\n--x--\r\n"
    )
    headers = {**world.as_user(world.alice), "Content-Type": "multipart/form-data; boundary=x"}
    answer = world.client.post("/api/upload", content=body, headers=headers)
    assert answer.json()["filename"] == "My _song_ 100_.flac"


def test_no_name_leaves_the_folder_of_its_user(world: World) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "multipart/form-data; boundary=b"}
    for name in ("../../../a.flac", "/etc/a.flac", "..\\a.flac", "%2e%2e/a.flac"):
        body = PART.replace(b"a.flac", name.encode()) + SONG + END
        key = world.client.post("/api/upload", content=body, headers=headers).json()["key"]
        assert key.startswith(f"uploads/{world.alice}/")
        assert key.endswith("/a.flac")
        assert key.count("/") == 3


def ticket(world: World, **document: Any) -> httpx2.Response:
    answer: httpx2.Response = world.client.post(
        "/api/uploads", json=document, headers=world.as_user(world.alice)
    )
    return answer


def test_a_ticket_takes_exactly_one_file(world: World, context: ApiContext) -> None:
    answer = ticket(world, filename="../My song.flac", size=len(SONG))
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert (document["method"], document["headers"]) == (
        "PUT",
        {"Content-Length": str(len(SONG)), "Content-Type": "audio/flac"},
    )
    assert document["key"].startswith(f"uploads/{world.alice}/")
    assert document["key"].endswith("/My song.flac")
    left = datetime.fromisoformat(document["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    kind = {"Content-Type": "audio/flac"}
    for body, headers in (
        (SONG + b"x", kind),
        (SONG[:-1], kind),
        (SONG, {"Content-Type": "text/html"}),
    ):
        assert httpx2.put(document["url"], content=body, headers=headers).status_code == 403
        assert context.storage.head(document["key"]) is None
    assert httpx2.put(document["url"], content=SONG, headers=kind).status_code == 200
    found = context.storage.head(document["key"])
    assert found is not None
    assert found.bytes == len(SONG)


def test_a_user_has_few_uploads_at_the_same_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_running", Counter({world.alice: 8}))
    answer = upload(world, SONG)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert upload(world, SONG, headers=world.as_user(world.bob)).status_code == 201
    assert uploads._running == Counter({world.alice: 8})


def test_tickets_beyond_the_limits_are_refused(world: World) -> None:
    wrong: tuple[tuple[dict[str, Any], int], ...] = (
        ({"filename": "a.flac", "size": 1, "x": "x" * (1 << 20)}, 413),
        ({"filename": "a.flac", "size": MAX_BYTES + 1}, 413),
        ({"filename": "a.flac", "size": 0}, 422),
        ({"filename": "", "size": 1}, 422),
        ({"filename": "a.flac"}, 422),
        ({"filename": "a.flac", "size": 1, "content_type": "text/html"}, 422),
        ({"filename": "a.flac", "size": 1, "content_type": "audio/x\r\nX: y"}, 422),
    )
    for document, status in wrong:
        assert ticket(world, **document).status_code == status, document


def test_a_folder_has_no_tickets(world: World, context: ApiContext, tmp_path: Path) -> None:
    folder = replace(context, storage=FolderStorage(tmp_path / "store"))
    world.client.app.state.context = folder  # type: ignore[attr-defined]
    answer = ticket(world, filename="a.flac", size=1)
    assert answer.status_code == 422
    assert "POST /api/upload" in answer.json()["detail"]
    assert upload(world, SONG).status_code == 201
