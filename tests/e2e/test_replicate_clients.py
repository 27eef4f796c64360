"""The official clients of Replicate separate songs with this service, over TLS."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import trustme

from mashup_worker.api.replicate.versions import VERSIONS
from tests.e2e.clients.environments import node_environment, python_environment
from tests.e2e.command import MASHUP, STEMS, excerpt
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.clients.environments import Environment

RYAN = VERSIONS[0]
SECRET = "a secret of the tests, long enough"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables of client programs; the service runs behind a certificate of its own."""
    folder = tmp_path_factory.mktemp("up")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    port = free_port()
    address = f"https://localhost:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        "OMP_NUM_THREADS": "1",
        "MASHUP_MODEL": "lite",
        "MASHUP_OFFLINE": "1",
        "MASHUP_FETCH_PRIVATE": "true",
        "MASHUP_API_URL": address,
        "MASHUP_API_SECRET": SECRET,
    }
    up = ("up", "--data", folder / "data", "--json")
    with started(up, environment) as service:
        facts = json.loads(first_line(service))
        settings = {
            "DATABASE_URL": facts["api_database_url"],
            "REDIS_URL": facts["redis_url"],
            "S3_ENDPOINT_URL": facts["s3_endpoint_url"],
            "S3_BUCKET": facts["bucket"],
            "AWS_ACCESS_KEY_ID": facts["s3_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": facts["s3_secret_access_key"],
        }
        tls = ("--tls-certificate", folder / "certificate.pem", "--tls-key", folder / "key.pem")
        api = ("api", "--host", "localhost", "--port", str(port), *tls)
        with started(api, environment | settings) as server:
            assert first_line(server).startswith(f"ready: {address}")
            soundfile.write(folder / "song.wav", excerpt(2.0), 44_100)
            soundfile.write(folder / "long.mp3", np.tile(excerpt(10.0), (4, 1)), 44_100)
            yield {
                "API_HOST": address,
                "API_TOKEN": facts["api_token"],
                "SSL_CERT_FILE": str(folder / "authority.pem"),
                "NODE_EXTRA_CA_CERTS": str(folder / "authority.pem"),
                "SONG": str(folder / "song.wav"),
                "LONG_SONG": str(folder / "long.mp3"),
                "RYAN": RYAN.id,
            }
            for process in (server, service):
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def started(arguments: tuple[str | Path, ...], environment: dict[str, str]) -> Process:
    return Process(
        [MASHUP, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        preexec_fn=stop_with_tests,
        text=True,
    )


def first_line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def separated(environment: Environment, program: str, variables: dict[str, str]) -> dict[str, Any]:
    """Run a client program; check what all of them do alike, and return what it found."""
    found = environment.run(program, variables)
    assert found["run"].keys() == set(STEMS)
    assert min(found["run"].values()) > 10_000
    sizes = found["data_url"]
    assert sizes.keys() == {"vocals", "bass", "drums", "guitar", "piano", "other"}
    assert {kind for kind, size in sizes.items() if size} == {"vocals", "other"}
    assert (found["created"], found["waited"]) == ("starting", "succeeded")
    assert found["predict_time"] > 0
    assert found["output"].keys() == set(STEMS)
    for url in found["output"].values():
        assert url.startswith(f"{variables['API_HOST']}/v1/files/")
    *_, size, sha256, file_id = found["file"]
    song = Path(variables["SONG"]).read_bytes()
    assert (size, sha256) == (len(song), hashlib.sha256(song).hexdigest())
    assert file_id
    assert (found["listed_file"], found["left_file"]) == (True, False)
    assert found["canceled"] == "canceled"
    assert found["listed"]
    assert found["latest"] == RYAN.id
    assert found["versions"] == [RYAN.id]
    status, detail = found["wrong_base_url"]
    assert status == 404
    assert f"baseUrl {variables['API_HOST']}/v1;" in detail
    status, detail = found["unknown_model"]
    assert status == 422
    assert "input.model: unknown: no such model; use one of htdemucs," in detail
    assert found["webhook"]
    return found


def test_python_1(variables: dict[str, str], tmp_path: Path) -> None:
    environment = python_environment(tmp_path, "replicate==1.0.7")
    found = separated(environment, "replicate_1.py", variables)
    assert found["progress"] == 1.0
    assert found["file"][0] == "song.wav"
    assert found["deleted_file"]


def test_python_2(variables: dict[str, str], tmp_path: Path) -> None:
    environment = python_environment(tmp_path, "replicate==2.0.0b4")
    found = separated(environment, "replicate_2.py", variables)
    assert found["deadline"]


def test_npm_1(variables: dict[str, str], tmp_path: Path) -> None:
    environment = node_environment(tmp_path, "replicate@1.4.0")
    found = separated(environment, "replicate.mjs", variables)
    assert found["progress"] == 1.0
    assert found["last_seen"] == "succeeded"
    assert found["polled"] == sorted(STEMS)
    assert found["file"][0] == "song.wav"
    assert found["deleted_file"]
