"""`mashup up`: starts, stops and restarts the whole service."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest

from tests.e2e.command import Mashup

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.e2e.preloaded import PreloadedMashup

KEYS = {
    *("database_url", "worker_database_url", "redis_url", "s3_endpoint_url", "bucket", "region"),
    *("s3_access_key_id", "s3_secret_access_key", "data", "pids"),
    *("api_database_url", "api_url", "api_token", "user_id", "studio_url", "login_url"),
}
SERVERS = {"postgres", "valkey", "s3"}


@dataclass
class Running:
    """Running `mashup up`.

    Attributes:
        process: the command.
        document: the printed line.
    """

    process: subprocess.Popen[str]
    document: dict[str, Any]

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.document["pids"]
        return pids

    def descendants(self) -> list[int]:
        return [one.pid for one in psutil.Process(self.process.pid).children(recursive=True)]


def started(mashup: Mashup, *options: str) -> Running:
    process = mashup.process("up", "--data", "service", "--json", *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    return Running(process, json.loads(line))


def until(condition: Callable[[], bool], timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.05)


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def has_tables(database_url: str) -> bool:
    with psycopg.connect(database_url) as database:
        found = database.execute("SELECT to_regclass('public.ai_jobs')").fetchone()
    return found is not None and found[0] is not None


@pytest.fixture(scope="module")
def service(mashup: Mashup) -> Iterator[Running]:
    """Servers and schema for the tests that change neither."""
    running = started(mashup, "--no-workers")
    with running.process:
        yield running
        running.process.send_signal(signal.SIGTERM)
        stdout, stderr = running.process.communicate(timeout=180)
    assert (running.process.returncode, stdout, stderr) == (0, "", "")
    assert gone(list(running.pids.values()))


def test_one_line_contains_all_addresses(mashup: Mashup, service: Running) -> None:
    assert service.document.keys() == KEYS
    assert service.pids.keys() == SERVERS
    assert Path(service.document["data"]) == mashup.folder / "service"
    assert has_tables(service.document["database_url"])
    assert has_tables(service.document["worker_database_url"])
    assert has_tables(service.document["api_database_url"])


def test_a_second_up_prints_the_settings_of_the_first(mashup: Mashup, service: Running) -> None:
    again = mashup.run("up", "--data", "service", "--json")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout) == service.document
    plain = mashup.run("up", "--data", "service")
    assert plain.returncode == 0
    assert ["REDIS_URL", service.document["redis_url"]] in [
        line.split() for line in plain.stdout.splitlines()
    ]


def test_a_command_uses_the_running_service_and_leaves_it_running(
    mashup: Mashup, service: Running
) -> None:
    done = mashup.run("up", "--data", "service", "--run", "echo $S3_BUCKET; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "mashup\n", "")
    killed = mashup.run("up", "--data", "service", "--run", "kill -9 $$")
    assert killed.returncode == 128 + signal.SIGKILL
    assert has_tables(service.document["database_url"])


def test_a_dead_server_is_restarted(mashup: Mashup, service: Running) -> None:
    def document() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(mashup.run("up", "--data", "service", "--json").stdout)
        return found

    os.kill(service.pids["postgres"], signal.SIGKILL)
    before = service.document
    until(lambda: document()["pids"] not in (before["pids"], {}))
    service.document = document()
    assert service.document | {"pids": None} == before | {"pids": None}
    assert has_tables(service.document["database_url"])


@pytest.fixture(scope="module")
def other(preloaded: PreloadedMashup, tmp_path_factory: pytest.TempPathFactory) -> Mashup:
    """Separate folder, for services that are killed."""
    return Mashup(tmp_path_factory.mktemp("killed"), preloaded)


def test_a_link_logs_a_browser_in(other: Mashup) -> None:
    """`--open` gives it to the browser; the page itself is tested with the studio."""
    browser = other.folder / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    running = started(other)
    with running.process:
        facts = running.document
        assert facts["studio_url"] == f"{facts['api_url']}/studio"
        again = other.run("up", "--data", "service", "--json", "--open", BROWSER=str(browser))
        assert again.returncode == 0
        no_screen = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
        printed = other.run("up", "--data", "service", "--open", **no_screen)
        assert printed.stdout.count("#login=") == 1
        assert printed.stderr == "no browser was found; open the link above\n"
        links = [facts["login_url"], json.loads(again.stdout)["login_url"]]
        links.append((other.folder / "opened").read_text().strip())
        assert len(set(links)) == 3
        for link in links:
            address, _, code = link.partition("#login=")
            assert address == facts["studio_url"]
            document = logged_in(facts["api_url"], code)
            assert document["user_id"] == facts["user_id"]
            assert document["scopes"] == ["operator", "read", "write"]
        running.process.send_signal(signal.SIGTERM)
        running.process.communicate(timeout=180)


def logged_in(api_url: str, code: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{api_url}/api/session",
        json.dumps({"code": code}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201
        found: dict[str, Any] = json.load(answer)
        return found


def test_run_starts_and_stops_everything(other: Mashup) -> None:
    """The next test starts again in the folder of this one."""
    line = "import os, json; print(json.dumps(dict(os.environ)))"
    command = f"python -c '{line}'; exit 3"
    done = other.run("up", "--data", "service", "--json", "--run", command)
    assert (done.returncode, done.stderr) == (3, "")
    document, environment = map(json.loads, done.stdout.splitlines())
    assert document["pids"].keys() == {*SERVERS, "mirror", "worker", "api"}
    assert environment["DATABASE_URL"] == document["database_url"]
    assert environment["AWS_SECRET_ACCESS_KEY"] == document["s3_secret_access_key"]
    assert gone(list(document["pids"].values()))


def test_a_killed_up_stops_everything_and_a_dead_worker_is_restarted(other: Mashup) -> None:
    running = started(other)
    with running.process:
        first = running.pids["worker"]
        os.kill(first, signal.SIGKILL)

        def worker() -> int | None:
            done = other.run("up", "--data", "service", "--json")
            found: int | None = json.loads(done.stdout)["pids"].get("worker")
            return found

        until(lambda: worker() not in (None, first))
        started_pids = running.descendants()
        assert {*running.pids.values()} - {first} < {*started_pids}
        running.process.kill()
    until(lambda: gone(started_pids))
