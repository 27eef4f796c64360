"""Wheel, entry point, health check and server commands of the image, run without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import boto3
import psycopg
import pytest
import soundfile
import yaml
from botocore.config import Config

from mashup_worker.api.studio.libraries import are_complete
from mashup_worker.db.migrate import migrate
from mashup_worker.stack.packages import postgres_programs, weed
from mashup_worker.stack.stack import Stack
from tests.chaos.arena import until
from tests.dockerfile import ROOT, read_dockerfile
from tests.e2e.command import excerpt
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PASSWORD = "a-password"


@dataclass(frozen=True)
class Image:
    """Simulated image: a virtual environment with the wheel, and the image's variables."""

    bin: Path
    environment: dict[str, str]

    def line(self, *command: str) -> list[str]:
        """Return the command line that the image runs."""
        first, *rest = [*read_dockerfile().entry_point, *command]
        words = [first, *rest] if shutil.which(first) else rest[rest.index("--") + 1 :]
        return [str(self.bin / "mashup") if word == "mashup" else word for word in words]

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.environment["HOME"],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    place = tmp_path_factory.mktemp("image")
    (place / "src").mkdir()
    for name, value in read_dockerfile().first_stage:
        if name == "COPY":
            for source in value.split()[:-1]:
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, place / "src" / source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "-w", str(place), str(place / "src")], check=True, timeout=600
    )
    (wheel,) = place.glob("*.whl")
    home = place / "opt"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
    )
    # The dependencies are those of the tests; the path does not contain the checkout.
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    environment = {
        name: re.sub(r"/(weights|scratch)\b", rf"{place}/\1", value)
        for name, value in read_dockerfile().environment.items()
    }
    for name in ("weights", "scratch"):
        (place / name).mkdir()
    environment["PATH"] = f"{home / 'bin'}:{os.environ['PATH']}"
    return Image(home / "bin", environment)


def free_port() -> int:
    with closing(socket.socket()) as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port


def test_the_wheel_is_complete(image: Image) -> None:
    version = image.run(*image.line("--version"))
    assert version.returncode == 0, version.stderr
    where = image.run(
        str(image.bin / "python"), "-c", "import mashup_worker; print(mashup_worker.__file__)"
    )
    assert str(image.bin.parent) in where.stdout
    packaged = {path.name for path in image.bin.parent.rglob("*.sql")}
    assert packaged == {path.name for path in (ROOT / "mashup_worker").rglob("*.sql")}
    [page] = image.bin.parent.rglob("api/studio/page")
    assert are_complete(page)
    assert len(list(page.rglob("LICENSE"))) > 1


def test_separation_writes_nothing_outside_its_output(image: Image, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, excerpt(3.0), 44_100)
    before = set(image.bin.parent.rglob("*"))
    done = image.run(
        *image.line("separate", "--model", "lite", "-o", str(tmp_path / "stems"), str(song)),
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    written = sorted(path.name for path in (tmp_path / "stems").rglob("*") if path.is_file())
    stems = [f"{kind}.flac" for kind in ("bass", "drums", "other")]
    assert written == [*stems, "separation.json", "vocals.flac"]
    assert set(image.bin.parent.rglob("*")) == before


def test_the_health_check_follows_the_mirror(image: Image, tmp_path: Path) -> None:
    port = free_port()
    with Stack(tmp_path / "stack") as info:
        migrate(info.database_url)
        environment = {
            **image.environment,
            **info.environment(),
            "DATABASE_URL": info.worker_database_url,
            "MASHUP_METRICS_ADDRESS": f"127.0.0.1:{port}",
        }
        check = read_dockerfile().health_check
        assert check[0] == "python"
        check[0] = str(image.bin / "python")
        assert image.run(*check, **environment).returncode != 0
        with Process(
            image.line("mirror"),
            preexec_fn=stop_with_tests,
            cwd=image.environment["HOME"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready")
            checked = image.run(*check, **environment)
            assert checked.returncode == 0, checked.stderr
            process.terminate()  # as `docker stop` does, to the first process
        assert process.returncode == 0
        assert image.run(*check, **environment).returncode != 0


def test_the_api_serves_in_its_container(image: Image, tmp_path: Path) -> None:
    """Roles are those of an empty volume; command, settings and health check are compose's."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service: dict[str, Any] = document["services"]["api"]
    port, metrics_port = free_port(), free_port()
    check = [word.replace(":8080/", f":{port}/") for word in service["healthcheck"]["test"][1:]]
    assert check.pop(0) == "python"
    check.insert(0, str(image.bin / "python"))
    with Stack(tmp_path / "stack") as info:
        make_roles(info.database_url)
        migrate(info.database_url)
        role = service["environment"]["DATABASE_URL"].partition("//")[2].partition(":")[0]
        where = urlsplit(info.database_url)
        environment = {
            **image.environment,
            **info.environment(),
            "DATABASE_URL": f"postgresql://{role}:{PASSWORD}@"
            f"{where.hostname}:{where.port}{where.path}",
            "MASHUP_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
            "MASHUP_API_URL": f"http://127.0.0.1:{port}",
            "MASHUP_API_SECRET": "change-me-to-32-letters-or-more-x",
        }
        as_owner = {**environment, "DATABASE_URL": info.database_url}
        created = image.run(
            *image.line("tokens", "create", "ops", "--scope", "operator"), **as_owner
        )
        command = [*service["command"], "--port", str(port)]
        with Process(
            image.line(*(word.replace("0.0.0.0", "127.0.0.1") for word in command)),
            preexec_fn=stop_with_tests,
            cwd=image.environment["HOME"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready")
            # Repeated, as Docker does: its timeout is short for a loaded machine.
            until(lambda: image.run(*check, **environment).returncode == 0, "the health check")
            token = created.stdout.strip()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/fleet", headers={"Authorization": f"Bearer {token}"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["processes"] == []
            scraped = f"http://127.0.0.1:{metrics_port}/metrics"
            with urllib.request.urlopen(scraped, timeout=60) as answer:
                assert b'route="/api/fleet",status="200"' in answer.read()
            process.terminate()
        assert process.returncode == 0
        assert image.run(*check, **environment).returncode != 0


def make_roles(owner_url: str) -> None:
    """Make the roles by the script of an empty volume, in place of those of the stack."""
    owner = urlsplit(owner_url)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for role in ("mashup_worker", "mashup_api", "service_role"):
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
    made = subprocess.run(
        ["sh", str(ROOT / "docker" / "postgres-role.sh")],
        env={
            "PATH": f"{postgres_programs()}:{os.environ['PATH']}",
            "PGHOST": owner.hostname or "",
            "PGPORT": str(owner.port),
            "PGPASSWORD": unquote(owner.password or ""),
            "POSTGRES_USER": unquote(owner.username or ""),
            "POSTGRES_DB": owner.path.lstrip("/"),
            "WORKER_PASSWORD": PASSWORD,
            "API_PASSWORD": PASSWORD,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr


@pytest.fixture
def store(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start the store of `compose.yaml` with its command line; return the settings of clients."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service: dict[str, Any] = document["services"]["s3"]
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    arguments = [
        word.replace("-dir=/data", f"-dir={tmp_path}")
        .replace("-s3.port=8333", f"-s3.port={ports['s3']}")
        .replace("-s3.ip.bind=0.0.0.0", "-s3.ip.bind=127.0.0.1")
        for word in service["command"]
    ]
    for name in ("master", "volume", "filer"):
        arguments += [f"-{name}.port={ports[name]}", f"-{name}.port.grpc={free_port()}"]
    arguments += [f"-s3.port.grpc={free_port()}"]
    keys = {"AWS_ACCESS_KEY_ID": "mashup", "AWS_SECRET_ACCESS_KEY": "a-long-secret"}
    assert keys.keys() == service["environment"].keys()
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    with Process(
        [str(weed()), *arguments],
        preexec_fn=stop_with_tests,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **keys},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield {**keys, "S3_ENDPOINT_URL": endpoint, "S3_BUCKET": "mashups"}
        process.kill()


def test_the_bucket_is_created_once(store: dict[str, str]) -> None:
    script = [sys.executable, str(ROOT / "docker" / "make_bucket.py")]
    end_s = time.monotonic() + 180
    while True:
        environment = {"PATH": os.environ["PATH"], **store}
        done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        assert time.monotonic() < end_s, done.stderr
        time.sleep(0.2)
    again = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "")
    client = boto3.client(
        "s3",
        endpoint_url=store["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="mashup",
        aws_secret_access_key="wrong",
        config=Config(s3={"addressing_style": "path"}),
    )
    with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()
