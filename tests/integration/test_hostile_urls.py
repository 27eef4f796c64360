"""Untrusted URLs and keys: each attack is refused, and reaches no private server."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import trustme

from mashup_worker.audio.song_tags import SongTags
from mashup_worker.audio.tag_writers import write_tags
from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.errors import FetchFailed, InvalidInput, MashupError, UnsupportedAudio
from mashup_worker.settings import ServiceSettings, StorageSettings
from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.storage import connection
from mashup_worker.storage.fetch import fetch
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.inputs import JobInputs
from tests.hostile.answers import ANSWERS
from tests.hostile.cases import SECRET, SIGNED, SONG, Case, redirect, whole
from tests.hostile.certificates import INVALID_TLS, context_for
from tests.hostile.foreign_keys import FOREIGN, SharedStore
from tests.hostile.forms import FORMS, PRIVATE
from tests.hostile.internet import NAMES, OTHER_PUBLIC, PUBLIC, internet
from tests.hostile.mislabeled import mislabeled
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
    """TLS context with a certificate that matches every name and address."""
    addresses = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", PUBLIC, OTHER_PUBLIC)
    return context_for(authority, *NAMES, *addresses)


@pytest.fixture(autouse=True)
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the test authority in this process."""
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
    """Return the error of a case, which must leave no file and reveal no secret."""
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


def test_cases_are_many_and_distinct() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    tried = {(case.url, *(str(answer) for answer in case.answers.values())) for case in CASES}
    assert len(tried) == len(CASES) >= 200


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_hostile_urls_are_refused(case: Case, target: Path, world: World) -> None:
    with world(dict(case.answers)) as there:
        begin_s = time.monotonic()
        error = refused(case, target)
        took_s = time.monotonic() - begin_s
    assert there.private.visits == 0
    assert there.public.visits == case.visits
    assert took_s < case.timeout_s + 30.0  # the servers go on for longer
    assert error.retryable is (case.error is FetchFailed)


@pytest.mark.parametrize("host", ["10.0.0.1", "inside.example", "[::1]", "2852039166"])
def test_the_address_check_is_what_keeps_fetches_out(
    host: str, target: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the private server would be reached without the check."""
    monkeypatch.setattr(connection, "is_public", lambda _address: True)
    with world({}) as there:
        if host.isdigit():
            with pytest.raises(FetchFailed, match="certificate"):
                fetch(f"https://{host}/", target, max_bytes=10, timeout_s=60.0)
        else:
            fetch(f"https://{host}/", target, max_bytes=10, timeout_s=60.0)
            assert target.read_bytes() == b"vault\n"
    assert there.private.visits == 1


def test_a_name_is_resolved_once(target: Path, world: World) -> None:
    with world({"/song": whole(b"song")}) as there:
        fetch("https://changing.example/song", target, max_bytes=10, timeout_s=60.0)
        assert there.asked == ["changing.example"]
        assert (
            there.look_up("changing.example", 443)[0][4][0] == "10.0.0.1"
        )  # a second look-up would return it
    assert target.read_bytes() == b"song"
    assert there.reached == [f"{PUBLIC} 443"]


def test_proxies_and_passwords_of_the_environment_are_ignored(
    target: Path, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http", "https", "all", "ftp", "socks"):
        monkeypatch.setenv(f"{name}_proxy", "http://127.0.0.1:3128")
        monkeypatch.setenv(f"{name}_proxy".upper(), "http://127.0.0.1:3128")
    (tmp_path / ".netrc").write_text(f"default login me password {SECRET}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with world({f"/{SIGNED}": redirect("//six.example/next"), "/next": whole(b"song")}) as there:
        fetch(SONG, target, max_bytes=10, timeout_s=60.0)
    assert target.read_bytes() == b"song"
    assert there.reached == [f"{PUBLIC} 443", f"{OTHER_PUBLIC} 443"]
    names = [[line.split(":")[0] for line in head.split("\r\n")[1:-2]] for head in requests(there)]
    assert names == [["Host", "Accept-Encoding", "User-Agent"]] * 2
    assert SECRET not in requests(there)[1]


def requests(there: Internet) -> list[str]:
    return there.public.requests


@pytest.mark.parametrize("name", INVALID_TLS)
def test_an_invalid_certificate_prevents_the_request(
    name: str,
    target: Path,
    authority: trustme.CA,
    context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public, says = INVALID_TLS[name]
    timeout_s = 0.5 if says == "took too long" else 60.0
    case = Case(name, SONG, FetchFailed, says, timeout_s=timeout_s)
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
    """Return the inputs of a job of this user, or of a random one."""
    folder.mkdir()
    return JobInputs(
        storage=storage,
        database=database,  # type: ignore[arg-type]  # URLs need none
        settings=settings or ServiceSettings(),
        user_id=user_id or uuid4(),
        folder=folder,
        on_progress=lambda _stage, _share: None,
    )


MISLABELED = tuple(mislabeled(b"", ""))


@pytest.mark.parametrize("name", MISLABELED)
def test_answers_that_are_not_the_declared_audio_are_refused(
    name: str, world: World, tmp_path: Path
) -> None:
    song = write(tmp_path / "song.wav", music(0.2)).read_bytes()
    inputs = job_inputs(tmp_path / "job", FolderStorage(tmp_path / "store"))
    with serving({"*": whole(song)}) as inside:
        answers: dict[str, Answer] = {
            "*": mislabeled(song, f"http://127.0.0.1:{inside.port}/")[name]
        }
        with world(answers) as there, pytest.raises(MashupError) as caught:
            inputs.fetch(SONG, "input_data.audio")
    assert caught.type is (InvalidInput if name == "an empty body" else UnsupportedAudio)
    assert not caught.value.retryable
    assert caught.value.message.startswith("input_data.audio")
    assert caught.value.message.isprintable()
    assert SECRET not in caught.value.message
    assert (inside.visits, there.private.visits) == (0, 0)
    assert not inputs.digests
    assert not list(inputs.folder.glob("*.decoded.wav"))


def test_a_song_at_a_public_url_is_read(world: World, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", music(0.2))
    inputs = job_inputs(tmp_path / "job", FolderStorage(tmp_path / "store"))
    with world({f"/{SIGNED}": whole(song.read_bytes())}):
        sound = inputs.fetch(SONG, "input_data.audio")
    assert inputs.digests == {sound: file_sha256(song)}


@pytest.fixture
def shared(
    services: StackInfo,
    bucket: str,
    migrated_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SharedStore]:
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
        yield SharedStore(inputs, endpoint, bucket, me, victim, job)


def test_foreign_objects_look_like_missing_ones(shared: SharedStore) -> None:
    before = {given: refusal(shared, given) for given in FOREIGN}
    shared.delete_victim()
    assert {given: refusal(shared, given) for given in FOREIGN} == before
    assert not list(shared.inputs.folder.iterdir())


def refusal(shared: SharedStore, given: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        shared.inputs.fetch(shared.address(given), "input_data.audio")
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
def test_messages_quote_little_input_and_no_secrets(shared: SharedStore, given: str) -> None:
    message = refusal(shared, given)
    assert "s3cr3t" not in message
    assert len(message) < 400


OWN_NAMES = ("//a b.wav", "50%41?x#y.wav", "new\nline.wav", "back\\slash.wav", "ü/😀.WAV")


def test_own_objects_are_read_under_any_key(shared: SharedStore, services: StackInfo) -> None:
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    client = s3_client(shared.endpoint, keys)
    home = f"inputs/{shared.me}/"
    for name in OWN_NAMES:
        source = {"Bucket": shared.bucket, "Key": home + "a.wav"}
        client.copy_object(Bucket=shared.bucket, Key=home + name, CopySource=source)
    found = [
        shared.inputs.fetch(given + home + name, "input_data.audio")
        for given in ("", f"s3://{shared.bucket}/")
        for name in OWN_NAMES
    ]
    assert [path.name for path in found] == [
        f"input-{number}.decoded.wav" for number in range(1, len(found) + 1)
    ]
    assert {path.parent for path in found} == {shared.inputs.folder}
    client.delete_object(Bucket=shared.bucket, Key=home + OWN_NAMES[2])
    assert refusal(shared, home + OWN_NAMES[2]).endswith("object not found")


def test_other_buckets_are_read_under_any_key(shared: SharedStore, services: StackInfo) -> None:
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    client, other = s3_client(shared.endpoint, keys), f"{shared.bucket}-other"
    client.create_bucket(Bucket=other)
    settings = shared.inputs.settings
    inputs = settings.inputs.model_copy(update={"input_buckets": (other,)})
    shared.inputs.settings = replace(settings, inputs=inputs)
    shared.inputs.user_id = None
    body = client.get_object(Bucket=shared.bucket, Key=f"inputs/{shared.me}/a.wav")["Body"].read()
    for name in ("/inputs/a?b#c.wav", *OWN_NAMES):
        client.put_object(Bucket=other, Key=name, Body=body)
        assert shared.inputs.fetch(f"s3://{other}/{name}", "input_data.audio").is_file()


def test_tags_of_own_objects_are_read(shared: SharedStore, tmp_path: Path) -> None:
    song = write(tmp_path / "tagged.wav", music(0.2))
    with song.open("r+b") as file:
        write_tags(file, "wav", SongTags(title="T", cover=b"\xff\xd8\xff" + bytes(3_000_000)))
    key = f"inputs/{shared.me}/tagged.wav"
    sha256 = file_sha256(song)
    shared.inputs.storage.put(key, song, content_type="audio/wav", sha256=sha256)
    found = shared.inputs.fetch(key, "input_data.audio")
    assert shared.inputs.tags == {found: SongTags(title="T")}
    warning = "input_data.audio: its cover of 3.0 MB is left out; the limit is 2 MB"
    assert shared.inputs.warnings == [warning]


@pytest.mark.parametrize("slash", ["//", "\\"])
def test_results_are_sources_however_their_keys_are_spelled(
    shared: SharedStore, slash: str
) -> None:
    """A takedown of the source finds its derivatives by this."""
    shared.inputs.user_id = None
    key = f"jobs/{shared.job}/1/a.wav".replace("/", slash)
    shared.inputs.fetch(key, "input_data.audio")
    assert shared.inputs.source_jobs == {shared.job}


def test_own_objects_are_read(shared: SharedStore) -> None:
    for given in ("", "s3://{bucket}/", "{endpoint}/{bucket}/"):
        address = shared.address(given + "inputs/{me}/a.wav")
        assert shared.inputs.fetch(address, "input_data.audio").is_file()
