"""URLs that strangers might give: each is refused in its own words, and leads nowhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import trustme

from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.errors import FetchFailed, InvalidInput, MashupError, UnsupportedAudio
from mashup_worker.settings import ServiceSettings, StorageSettings
from mashup_worker.storage import wire
from mashup_worker.storage.fetch import fetch
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.objects import JobInputs
from tests.hostile.answers import ANSWERS
from tests.hostile.cases import SECRET, SIGNED, SONG, Case, redirect, whole
from tests.hostile.certificates import STRANGE_TLS, context_for
from tests.hostile.door import OTHERS, Door
from tests.hostile.forms import FORMS, PRIVATE
from tests.hostile.internet import NAMES, OTHER_PUBLIC, PUBLIC, internet
from tests.hostile.lies import lies
from tests.hostile.redirects import REDIRECTS
from tests.hostile.servers import serving
from tests.unit.audio_fixtures import music, write

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mashup_worker.stack.info import StackInfo
    from mashup_worker.storage.objects import Storage
    from tests.hostile.internet import Internet
    from tests.hostile.servers import Answer

    World = Callable[[dict[str, Answer]], AbstractContextManager[Internet]]

CASES = (*PRIVATE, *FORMS, *REDIRECTS, *ANSWERS)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    """Of a certificate for every name and address here, so that nothing fails for its name."""
    figures = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", PUBLIC, OTHER_PUBLIC)
    return context_for(authority, *NAMES, *figures)


@pytest.fixture(autouse=True)
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process trusts the certificates made here, as it does those of real authorities."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.fixture
def world(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> World:
    return lambda answers: internet(serving(answers, context), context, monkeypatch)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "into" / "song.wav"


def refused(case: Case, target: Path) -> MashupError:
    """How a case ends; it must leave nothing, and tell nothing that is secret."""
    with pytest.raises(MashupError) as caught:
        fetch(case.url, target, max_bytes=case.max_bytes, timeout_s=case.timeout_s)
    assert caught.type is case.error
    message = caught.value.message
    assert case.says in message
    assert message.isprintable()
    assert len(message) < 400
    assert SECRET not in message
    assert not target.parent.exists() or not list(target.parent.iterdir())
    return caught.value


def test_there_are_many_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    tried = {(case.url, *(str(answer) for answer in case.answers.values())) for case in CASES}
    assert len(tried) == len(CASES) >= 200


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_hostile_urls_are_refused(case: Case, target: Path, world: World) -> None:
    with world(dict(case.answers)) as there:
        begin_s = time.monotonic()
        error = refused(case, target)
        took_s = time.monotonic() - begin_s
    assert there.forbidden.visits == 0
    assert there.public.visits == case.visits
    assert took_s < case.timeout_s + 1.0
    assert error.retryable is (case.error is FetchFailed)


@pytest.mark.parametrize("host", ["10.0.0.1", "inside.example", "[::1]", "2852039166"])
def test_without_the_check_they_would_get_in(
    host: str, target: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a forbidden server without visits means something."""
    monkeypatch.setattr(wire, "is_public", lambda _address: True)
    with world({}) as there:
        if host.isdigit():
            with pytest.raises(FetchFailed, match="certificate"):
                fetch(f"https://{host}/", target, max_bytes=10, timeout_s=5.0)
        else:
            fetch(f"https://{host}/", target, max_bytes=10, timeout_s=5.0)
            assert target.read_bytes() == b"vault\n"
    assert there.forbidden.visits == 1


def test_a_name_is_looked_up_once(target: Path, world: World) -> None:
    with world({"/song": whole(b"song")}) as there:
        fetch("https://changing.example/song", target, max_bytes=10, timeout_s=5.0)
        assert there.asked == ["changing.example"]
        assert there.look_up("changing.example", 443)[0][4][0] == "10.0.0.1"  # as a second would
    assert target.read_bytes() == b"song"
    assert there.reached == [f"{PUBLIC} 443"]


def test_proxies_and_passwords_of_the_environment_are_not_used(
    target: Path, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http", "https", "all", "ftp", "socks"):
        monkeypatch.setenv(f"{name}_proxy", "http://127.0.0.1:3128")
        monkeypatch.setenv(f"{name}_proxy".upper(), "http://127.0.0.1:3128")
    (tmp_path / ".netrc").write_text(f"default login me password {SECRET}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with world({f"/{SIGNED}": redirect("//six.example/next"), "/next": whole(b"song")}) as there:
        fetch(SONG, target, max_bytes=10, timeout_s=5.0)
    assert target.read_bytes() == b"song"
    assert there.reached == [f"{PUBLIC} 443", f"{OTHER_PUBLIC} 443"]
    names = [[line.split(":")[0] for line in head.split("\r\n")[1:-2]] for head in requests(there)]
    assert names == [["Host", "Accept-Encoding", "User-Agent"]] * 2
    assert SECRET not in requests(there)[1]


def requests(there: Internet) -> list[str]:
    return there.public.requests


@pytest.mark.parametrize("name", STRANGE_TLS)
def test_without_a_good_certificate_nothing_is_asked(
    name: str,
    target: Path,
    authority: trustme.CA,
    context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public, says = STRANGE_TLS[name]
    case = Case(name, SONG, FetchFailed, says, timeout_s=0.5)
    with internet(public(authority), context, monkeypatch) as there:
        assert refused(case, target).retryable
    assert there.public.visits == 1
    assert there.public.requests == []


def job_inputs(
    folder: Path,
    storage: Storage,
    settings: ServiceSettings | None = None,
    database: Database | None = None,
    user_id: UUID | None = None,
) -> JobInputs:
    """What a job of this user, or of some user, would read with."""
    folder.mkdir()
    return JobInputs(
        storage,
        database,  # type: ignore[arg-type]  # URLs of others are read without one
        settings or ServiceSettings(),
        user_id or uuid4(),
        folder,
        lambda _stage, _share: None,
    )


LIES = tuple(lies(b"", ""))


@pytest.mark.parametrize("name", LIES)
def test_what_only_says_that_it_is_sound_is_refused(
    name: str, world: World, tmp_path: Path
) -> None:
    song = write(tmp_path / "song.wav", music(0.2)).read_bytes()
    inputs = job_inputs(tmp_path / "job", FolderStorage(tmp_path / "store"))
    with serving({"*": whole(song)}) as inside:
        answers: dict[str, Answer] = {"*": lies(song, f"http://127.0.0.1:{inside.port}/")[name]}
        with world(answers) as there, pytest.raises(MashupError) as caught:
            inputs.fetch(SONG, "input_data.audio")
    assert caught.type is (InvalidInput if name == "nothing at all" else UnsupportedAudio)
    assert not caught.value.retryable
    assert caught.value.message.startswith("input_data.audio")
    assert caught.value.message.isprintable()
    assert SECRET not in caught.value.message
    assert (inside.visits, there.forbidden.visits) == (0, 0)
    assert not inputs.digests
    assert not list(inputs.folder.glob("*.sound.wav"))


def test_a_song_of_a_stranger_is_read(world: World, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", music(0.2))
    inputs = job_inputs(tmp_path / "job", FolderStorage(tmp_path / "store"))
    with world({f"/{SIGNED}": whole(song.read_bytes())}):
        sound = inputs.fetch(SONG, "input_data.audio")
    assert inputs.digests == {sound: file_sha256(song)}


@pytest.fixture
def door(
    services: StackInfo,
    bucket: str,
    migrated_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Door]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", services.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", services.secret_key)
    endpoint = services.s3_endpoint_url
    storage = StorageSettings(s3_endpoint_url=endpoint, s3_bucket=bucket, s3_region=services.region)
    settings = ServiceSettings(storage=storage)
    store, song = S3Storage(storage), write(tmp_path / "song.wav", music(0.2))
    with Database(migrated_url) as database:
        with database.transaction() as connection:
            rows = connection.execute(
                "INSERT INTO profiles SELECT FROM generate_series(1, 2) RETURNING id"
            ).fetchall()
            me, victim = (row["id"] for row in rows)
            job = jobs.insert(connection, "separate", {}, user_id=victim).id
        for key in (f"inputs/{me}/a.wav", f"inputs/{victim}/a.wav", f"jobs/{job}/1/a.wav"):
            store.put(key, song, content_type="audio/wav", sha256=file_sha256(song))
        inputs = job_inputs(tmp_path / "job", store, settings, database, me)
        yield Door(inputs, endpoint, bucket, me, victim, job)


def test_the_things_of_others_are_as_if_they_were_not_there(door: Door) -> None:
    before = {given: told(door, given) for given in OTHERS}
    door.forget_the_victim()
    assert {given: told(door, given) for given in OTHERS} == before
    assert not list(door.inputs.folder.iterdir())


def told(door: Door, given: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        door.inputs.fetch(door.address(given), "input_data.audio")
    assert not caught.value.retryable
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        "https://user:s3cr3t@ho\u2100st/song.wav",
        "s3://KEY:s3cr3t@elsewhere/inputs/a.wav",
        "inputs/\n\x1b[31m.wav",
        "jobs/" + "x" * 10_000,
        "x" * 10_000 + "://song.example/",
        "s3://" + "b" * 10_000 + "/a.wav",
    ],
)
def test_messages_quote_little_and_no_secrets(door: Door, given: str) -> None:
    message = told(door, given)
    assert "s3cr3t" not in message
    assert len(message) < 400


def test_what_is_the_users_own_is_read(door: Door) -> None:
    for given in ("", "s3://{bucket}/", "{endpoint}/{bucket}/"):
        address = door.address(given + "inputs/{me}/a.wav")
        assert door.inputs.fetch(address, "input_data.audio").is_file()
