"""Dockerfile, compose files and their environment, checked without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from mashup_worker.cli import app
from mashup_worker.settings import AttemptSettings, ServiceSettings, Settings
from tests.dockerfile import ROOT, Dockerfile, read_dockerfile

OURS = {"api", "bucket", "migrate", "mirror", "worker"}
COMPOSE_VARIABLES = {"MASHUP_IMAGE", "MASHUP_PROCESSES"}
BOTO_VARIABLES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
TRACING_VARIABLES = {"OTEL_EXPORTER_OTLP_ENDPOINT"}


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    return read_dockerfile()


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = document["services"]
    return found


@pytest.fixture(scope="module")
def gpu() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def variables() -> set[str]:
    """Return all environment variables that commands read."""
    return {
        *Settings.variables(),
        *ServiceSettings.variables(),
        *BOTO_VARIABLES,
        *TRACING_VARIABLES,
    }


def test_the_image_runs_unprivileged_and_without_build_tools(dockerfile: Dockerfile) -> None:
    *_, last = (value for name, value in dockerfile.last_stage if name == "USER")
    user, _, group = last.partition(":")
    assert user.isdecimal()
    assert int(user) > 0
    assert int(group) > 0
    installed = " ".join(value for name, value in dockerfile.last_stage if name == "RUN")
    assert not re.search(r"\b(g\+\+|build-essential|make|git|curl|sudo)\b", installed)
    assert "/opt/mashup/bin/pip install" not in installed
    built = " ".join(value for name, value in dockerfile.first_stage if name == "RUN")
    assert "-c constraints.txt" in built


def test_the_worker_can_compile_its_networks(
    dockerfile: Dockerfile, services: dict[str, dict[str, Any]]
) -> None:
    installed = " ".join(value for name, value in dockerfile.last_stage if name == "RUN")
    assert {"gcc", "libc6-dev"} <= set(installed.split())
    # Compiled kernels are loaded as shared libraries, and Docker mounts tmpfs with noexec.
    worker = services["worker"]
    volumes = [Path(volume.split(":")[1]) for volume in worker["volumes"]]
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        cache = Path(dockerfile.environment[name])
        assert any(cache.is_relative_to(volume) for volume in volumes)
        assert not any(cache.is_relative_to(mount) for mount in worker["tmpfs"])


def test_the_image_serves_the_api_and_sends_spans(dockerfile: Dockerfile) -> None:
    (listing,) = (value for name, value in dockerfile.first_stage if "tomllib" in value)
    code = re.search(r'python -c "(.*?)"', listing)
    assert code is not None
    listed = subprocess.run(
        [sys.executable, "-c", code[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["api"], *extras["tracing"]]
    assert listed.stdout.splitlines() == wanted


def test_only_copied_files_are_sent_to_the_build(dockerfile: Dockerfile) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for name, value in dockerfile.first_stage
        if name == "COPY"
        for source in value.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / one).exists() for one in sent)


def test_every_version_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        re.split(r"[\[<>=!~; ]", one)[0].lower().replace("_", "-")
        for one in (*project["dependencies"], *extras["api"], *extras["tracing"])
    }
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert wanted - pinned == set()


def test_the_license_of_every_dependency_is_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["api"], *extras["tracing"], *extras["local"]}
    needed -= {"mashup-worker[api]"}
    page = (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8").lower()
    names = [re.split(r"[\[<>=!~; ]", one)[0].lower() for one in needed]
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", page)] == []


def test_services_run_with_few_rights(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]
    for service in services.values():
        assert not service.get("privileged")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert re.search(
            r":[\w.-]*\d", service["image"].replace("${MASHUP_IMAGE:-", "").strip("}")
        ) or (service["image"].endswith(":local}"))
        assert "latest" not in service["image"]


def test_only_the_migration_logs_in_as_the_owner(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS - {"migrate"}:
        role = "mashup_api" if name == "api" else "mashup_worker"
        assert f"//{role}:" in services[name]["environment"]["DATABASE_URL"]
    assert services["migrate"]["environment"].keys() == {"DATABASE_URL"}


def commands(*documents: dict[str, dict[str, Any]]) -> list[list[str]]:
    lines = [
        [re.sub(r"\$\{\w+:-(\w*)\}", r"\1", str(word)) for word in service["command"]]
        for document in documents
        for name, service in document.items()
        if name in OURS - {"bucket"}
    ]
    return [*lines, read_dockerfile().command]


def test_commands_parse(
    services: dict[str, dict[str, Any]], gpu: dict[str, dict[str, Any]]
) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group | typer.core.TyperGroup)
    lines = commands(services, gpu)
    assert len(lines) == 6
    for name, *arguments in lines:
        command = group.commands[name]
        context = command.make_context(name, arguments)  # parsed, not run
        assert context.params


def test_only_known_variables_are_set(
    services: dict[str, dict[str, Any]], dockerfile: Dockerfile
) -> None:
    given = {name for one in OURS for name in services[one]["environment"]}
    given |= {name for name in dockerfile.environment if name.startswith("MASHUP_")}
    assert given - variables() == set()
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    ours = {name for name in offered if name.startswith(("MASHUP_", "S3_", "DATABASE", "REDIS_U"))}
    assert ours - variables() - COMPOSE_VARIABLES == set()
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    compose += (ROOT / "compose.gpu.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", compose)) <= offered


def test_files_ports_and_timeouts_match(
    services: dict[str, dict[str, Any]], dockerfile: Dockerfile
) -> None:
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
    _, _, port = dockerfile.environment["MASHUP_METRICS_ADDRESS"].rpartition(":")
    scraped = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))
    for job in scraped["scrape_configs"]:
        (where,) = job["dns_sd_configs"]
        assert str(where["port"]) == port
        assert all(port in services[name]["expose"] for name in where["names"])
    grace_s = AttemptSettings.model_fields["stop_grace_s"].default
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > grace_s + 15


def test_the_gpu_overlay_changes_only_the_worker(gpu: dict[str, dict[str, Any]]) -> None:
    assert gpu.keys() == {"worker"}
    (device,) = gpu["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def tool(name: str) -> str:
    """Return the path of a linter, preferably of this Python environment."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_hadolint_accepts_the_dockerfile() -> None:
    checked = subprocess.run(
        [tool("hadolint"), str(ROOT / "Dockerfile.gpu")], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_shellcheck_accepts_the_scripts() -> None:
    scripts = sorted(str(path) for path in (ROOT / "docker").glob("*.sh"))
    checked = subprocess.run([tool("shellcheck"), *scripts], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout


def compose_command() -> list[str]:
    """Return the command of Docker Compose 2 or later, which reads files without an engine."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run(
                [*command, "version"], capture_output=True, text=True, check=False
            )
            if re.search(r"version v?[2-9]", version.stdout):
                return command
    pytest.skip("Docker Compose is not installed")


@pytest.mark.parametrize("overlay", [(), ("-f", "compose.gpu.yaml")])
def test_docker_compose_accepts_the_files(overlay: tuple[str, ...]) -> None:
    command = [*compose_command(), "--env-file", ".env.example", "--profile", "monitoring"]
    checked = subprocess.run(
        [*command, "-f", "compose.yaml", *overlay, "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
