"""Local servers: access control, persistence, and exit with their parent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError
from redis.backoff import NoBackoff
from redis.retry import Retry

from mashup_worker.db.migrate import migrate
from mashup_worker.errors import InvalidInput, ServiceUnavailable
from mashup_worker.stack import packages
from mashup_worker.stack.info import StackInfo
from mashup_worker.stack.packages import PackagesMissing
from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.stack.service import existing_servers, missing_servers
from mashup_worker.stack.stack import SERVERS, ServerName, Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

HOLD = """
import sys
from pathlib import Path
from mashup_worker.stack.service import existing_servers, missing_servers
from mashup_worker.stack.info import StackInfo
from mashup_worker.stack.stack import SERVERS, ServerName, Stack
Stack(Path(sys.argv[1]), sys.argv[2:]).start()
print("up", flush=True)
input()
"""


def wait_for(condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def store(info: StackInfo, secret_key: str | None = None) -> Any:
    keys = S3Keys(info.access_key, secret_key or info.secret_key, signing_key="")
    return s3_client(info.s3_endpoint_url, keys, attempts=1)


def write(info: StackInfo, text: str) -> None:
    with psycopg.connect(info.database_url) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS notes (body text)")
        owner.execute("INSERT INTO notes VALUES (%s)", [text])
    store(info).put_object(Bucket=info.bucket, Key=text, Body=text.encode())
    with redis.Redis.from_url(info.redis_url) as client:
        client.set(text, "yes")


def read(info: StackInfo, text: str) -> None:
    with psycopg.connect(info.database_url) as owner:
        assert owner.execute("SELECT FROM notes WHERE body = %s", [text]).rowcount == 1
    assert store(info).get_object(Bucket=info.bucket, Key=text)["Body"].read() == text.encode()
    with redis.Redis.from_url(info.redis_url) as client:
        client.ping()


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_new_database_can_be_migrated_and_the_worker_has_limited_rights(
    database_url: str, worker_database_url: str
) -> None:
    assert migrate(database_url)
    assert migrate(database_url) == []
    with psycopg.connect(worker_database_url) as worker:
        worker.execute("SELECT FROM public.ai_jobs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute("CREATE ROLE intruder SUPERUSER")


def test_auth_uid_reads_the_claims(database_url: str) -> None:
    user = "6f9619ff-8b86-4d11-b42d-00c04fc964ff"
    with psycopg.connect(database_url) as owner:
        assert owner.execute("SELECT auth.uid()").fetchone() == (None,)
        owner.execute("SET LOCAL ROLE authenticated")
        owner.execute(f'SET LOCAL request.jwt.claims = \'{{"sub": "{user}"}}\'')
        assert owner.execute("SELECT auth.uid()::text").fetchone() == (user,)


def test_fixtures_are_empty(redis_url: str, bucket: str, services: StackInfo) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
    assert store(services).list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_wrong_passwords_are_refused(services: StackInfo) -> None:
    database = urlsplit(services.database_url)
    for login in ("postgres:wrong@", "postgres@", "mashup_worker:wrong@"):
        wrong = database._replace(netloc=f"{login}127.0.0.1:{database.port}").geturl()
        with pytest.raises(psycopg.OperationalError, match=r"password|authentication"):
            psycopg.connect(wrong, passfile="/dev/null")
    for password in ("wrong", None):
        port = urlsplit(services.redis_url).port or 0
        with (
            redis.Redis(port=port, password=password, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises((redis.AuthenticationError, redis.ResponseError)),
        ):
            client.ping()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        store(services, "wrong").list_buckets()


def test_objects_require_a_signature(services: StackInfo) -> None:
    client = store(services)
    client.put_object(Bucket=services.bucket, Key="secret", Body=b"song")
    link = client.generate_presigned_url(
        "get_object", Params={"Bucket": services.bucket, "Key": "secret"}
    )
    with urlopen(link) as answer:
        assert answer.read() == b"song"
    for unsigned in (link.partition("?")[0], link.replace("secret?", "other?")):
        with pytest.raises(OSError, match="403"), urlopen(unsigned):
            pass


def test_servers_listen_on_loopback_only(stack: Stack) -> None:
    for server in stack.servers.values():
        process = psutil.Process(server.pid)
        addresses = {
            one.laddr.ip
            for one in process.net_connections("inet")
            if one.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}, server.name


def test_passwords_are_in_no_command_line_log_or_readable_file(stack: Stack) -> None:
    info = stack.info
    secrets = [
        urlsplit(info.database_url).password or "",
        urlsplit(info.redis_url).password or "",
        info.secret_key,
    ]
    for server in stack.servers.values():
        process = psutil.Process(server.pid)
        shown = " ".join([*process.cmdline(), *process.environ().values()])
        assert not [secret for secret in secrets if secret in shown]
        assert not [secret for secret in secrets if secret in server.log.read_text()]
    open_to_others = [
        path for path in stack.folder.iterdir() if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert not open_to_others
    assert not stack.folder.stat().st_mode & 0o066  # others may pass through, no more


def test_a_folder_runs_one_stack_at_a_time(stack: Stack) -> None:
    with pytest.raises(ServiceUnavailable, match="in use"):
        Stack(stack.folder).start()
    stack.announce({})  # other tests have restarted its servers
    assert Stack.running(stack.folder) == stack.info
    assert Stack.running(stack.folder / "none") is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a stack that tests may damage."""
    return tmp_path_factory.mktemp("damaged")


def test_killed_servers_restart_on_their_ports_with_their_data(folder: Path) -> None:
    damaged = Stack(folder)
    with damaged as info:
        write(info, "before")
        for server in damaged.servers.values():
            pid = server.pid
            server.kill()
            assert not server.is_running()
            assert server.pid is None
            server.start()
            assert server.pid not in (None, pid)
        read(info, "before")
    assert Stack.running(folder) is None
    assert not alive(list(info.pids.values()))


@pytest.mark.parametrize(
    ("killed", "servers"), [("parent", SERVERS), ("guards too", ("postgres", "valkey"))]
)
def test_servers_exit_with_their_parent(
    folder: Path, killed: str, servers: tuple[ServerName, ...]
) -> None:
    command = [sys.executable, "-c", HOLD, str(folder), *servers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        info = Stack.running(folder)
        assert info is not None
        with psycopg.connect(info.database_url) as owner:
            owner.execute("CREATE TABLE IF NOT EXISTS stays (killed text)")
            owner.execute("INSERT INTO stays VALUES (%s)", [killed])
        family = [one.pid for one in psutil.Process(parent.pid).children(recursive=True)]
        guards = [one.pid for one in psutil.Process(parent.pid).children()]
        assert info.pids.keys() == {*servers}
        assert {*info.pids.values()} < {*family}
        parent.kill()
        if killed == "guards too":
            for pid in guards:
                os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(family))
    # After a power cut, another process may have the process id in this file.
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n0\n0\n\n\n\n")
    with Stack(folder, servers=("postgres",)) as again:
        assert again.database_url == info.database_url
        with psycopg.connect(again.database_url) as owner:
            query = "SELECT FROM stays WHERE killed = %s"
            assert owner.execute(query, [killed]).rowcount == 1


def test_servers_named_by_variables_are_not_started() -> None:
    both = {
        "DATABASE_URL": "postgresql://there/it",
        "STORAGE_URL": "file:///there",
        "REDIS_URL": "",
    }
    assert missing_servers(both) == ("valkey",)
    assert existing_servers(both) == StackInfo(
        database_url=both["DATABASE_URL"],
        worker_database_url=both["DATABASE_URL"],
        api_database_url=both["DATABASE_URL"],
    )
    bucket = {"S3_BUCKET": "songs", "S3_REGION": "auto", "AWS_ACCESS_KEY_ID": "me"}
    assert missing_servers(bucket) == ("postgres", "valkey")
    assert existing_servers(bucket).environment() == bucket
    with pytest.raises(InvalidInput, match="S3_BUCKET"):
        existing_servers({"S3_ENDPOINT_URL": "https://there"})


def test_a_full_disk_is_named_before_the_store_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=100_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    with pytest.raises(ServiceUnavailable, match=r"s3: 100 MB are free on the disk of .*268 MB"):
        Stack(tmp_path, servers=("s3",)).start()


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _name: None)
    with pytest.raises(PackagesMissing) as caught:
        Stack(tmp_path).start()
    assert "pip install 'mashup-worker[local]'" in caught.value.message
    assert caught.value.exit_code == 3


def test_a_server_that_does_not_start_reports_its_last_log_line(folder: Path) -> None:
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("9\n")
    try:
        with pytest.raises(ServiceUnavailable, match=r"postgres: exited: .*version 9"):
            Stack(folder, servers=("postgres", "valkey")).start()
        assert not Stack.is_locked(folder)
    finally:
        version.write_text("18\n")
