"""The checks of the environment."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch
from typer.testing import CliRunner

from mashup_worker.doctor import checks, licenses, memory, model_cache, services, software
from mashup_worker.doctor import torch as torch_checks
from mashup_worker.doctor.finding import Finding
from mashup_worker.errors import EXIT_ENVIRONMENT, EXIT_USAGE
from mashup_worker.models.digests import MANIFEST
from mashup_worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(model_cache=tmp_path / "cache", model_mirror=None, offline=True)


def doctor(*arguments: str) -> Result:
    import typer

    from mashup_worker.commands.doctor import doctor

    app = typer.Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, arguments)


def make_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def hold(cache: Path, name: str) -> None:
    (cache / name).mkdir(parents=True)
    (cache / name / f"{name}.yaml").write_text("models: []\n")
    (cache / name / MANIFEST).write_text(f"{'0' * 64}  {name}.yaml\n")


def test_all_is_looked_at_and_this_machine_can_separate(settings: Settings) -> None:
    findings = checks.run_checks(settings)
    assert [finding.check for finding in findings] == list(checks.CHECKS)
    assert not [finding for finding in findings if finding.severity == "error"]
    for finding in findings:
        assert "\n" not in finding.message
        assert finding.severity == "ok" or finding.remedy
    assert json.loads(json.dumps([dataclasses.asdict(finding) for finding in findings]))


def test_a_check_that_breaks_is_reported_and_the_rest_still_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_settings: Settings) -> Finding:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(checks, "CHECKS", {"bad": broken, "rubberband": software.check_rubberband})
    bad, good = checks.run_checks(settings)
    assert (bad.check, bad.severity) == ("bad", "error")
    assert bad.message == "could not be checked (ZeroDivisionError: two)"
    assert good.check == "rubberband"


@pytest.mark.parametrize(
    ("allowed", "severity", "message"),
    [
        ("", "ok", "jobs may use models of any license"),
        ("permissive", "ok", "allowed: permissive; here: lite"),
        ("scientific-only", "warning", "allowed: scientific-only; here: no such model"),
        ("MIT,permisive", "warning", "allowed: MIT, permisive; here: lite; unknown: permisive"),
        (",", "error", "MASHUP_ALLOWED_LICENSES: "),
    ],
)
def test_allowed_licenses_are_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, allowed: str, severity: str, message: str
) -> None:
    monkeypatch.setenv("MASHUP_MODEL", "auto")
    monkeypatch.setenv("MASHUP_ALLOWED_LICENSES", allowed)
    finding = licenses.check_licenses(settings)
    assert (finding.severity, finding.message[: len(message)]) == (severity, message)
    assert finding.severity == "ok" or finding.remedy


def test_missing_optional_programs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for check in (software.check_ffmpeg, software.check_rubberband):
        finding = check(settings)
        assert finding.severity == "note"
        assert "not found" in finding.message
        assert "install" in str(finding.remedy)


def test_optional_programs_that_do_not_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    make_program(tmp_path, "rubberband", "exit 1")
    make_program(tmp_path, "ffmpeg", "echo ffmpeg version 9.9 Copyright")
    make_program(tmp_path, "ffprobe", "kill -9 $$")
    assert "does not run" in software.check_rubberband(settings).message
    assert software.check_ffmpeg(settings).severity == "note"
    assert "ffprobe does not run" in software.check_ffmpeg(settings).message
    make_program(tmp_path, "ffprobe", "echo ffprobe version 9.9 Copyright")
    make_program(tmp_path, "rubberband", "echo 9.9 >&2")
    assert software.check_ffmpeg(settings).message == "ffmpeg version 9.9"
    assert software.check_rubberband(settings).message == "version 9.9"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_driver_without_a_usable_gpu_is_a_warning(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert torch_checks.check_cuda(settings).severity in ("note", "ok")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    make_program(tmp_path, "nvidia-smi", "echo 470.1")
    finding = torch_checks.check_cuda(settings)
    assert finding.severity == "warning"
    assert finding.details["driver"] == "470.1"
    assert finding.remedy


def test_networks_cannot_be_compiled_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = torch_checks.check_compiling(tmp_path)
    assert finding.severity == "warning"
    assert "gcc" in str(finding.remedy)
    make_program(tmp_path, "gcc", "exit 0")
    assert torch_checks.check_compiling(tmp_path / "not" / "made").severity == "ok"


def test_compiled_kernels_cannot_lie_on_a_noexec_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path, "gcc", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    # Mounting a file system takes rights that a test must not need.
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_NOEXEC))
    finding = torch_checks.check_compiling(tmp_path / "not" / "made")
    assert finding.severity == "warning"
    assert "TORCHINDUCTOR_CACHE_DIR" in str(finding.remedy)


@pytest.mark.gpu
def test_the_gpu_is_named_with_driver_and_memory(settings: Settings) -> None:
    finding = torch_checks.check_cuda(settings)
    assert finding.severity == "ok"
    assert torch.cuda.get_device_name(0) in finding.message
    assert finding.details["driver"]
    (first, *_) = memory.check_memory(settings).details["gpus"]
    assert 0 < first["free_bytes"] <= first["memory_bytes"]


def test_a_container_limit_counts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, free = memory.ram_bytes()
    assert free is not None
    assert 0 < free <= total
    limit, used, stat = tmp_path / "max", tmp_path / "current", tmp_path / "stat"
    monkeypatch.setattr(memory, "CGROUP_LIMIT", limit)
    monkeypatch.setattr(memory, "CGROUP_USED", used)
    monkeypatch.setattr(memory, "CGROUP_STAT", stat)
    used.write_text(f"{1 << 29}\n")
    limit.write_text("max\n")
    unlimited, _ = memory.ram_bytes()
    limit.write_text(f"{1 << 30}\n")
    assert memory.ram_bytes() == (1 << 30, 1 << 29)
    assert unlimited > 1 << 30
    finding = memory.check_memory(settings)
    assert finding.severity == "warning"
    assert finding.details["ram_free_bytes"] == 1 << 29
    stat.write_text(f"anon 5\ninactive_file {1 << 28}\nactive_file 7\n")
    assert memory.ram_bytes() == (1 << 30, 3 << 28)


def test_a_system_that_does_not_tell_its_free_memory(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "CGROUP_LIMIT", tmp_path / "none")
    finding = memory.check_memory(settings)
    assert finding.details["ram_free_bytes"] is None
    assert "unknown" in finding.message


def test_the_cache_lists_its_models(settings: Settings) -> None:
    finding = model_cache.check_model_cache(settings)
    assert finding.severity == "note"
    assert "no models" in finding.message
    assert "mashup models pull htdemucs" in str(finding.remedy)
    assert not settings.model_cache.exists()
    hold(settings.model_cache, "mdx")
    hold(settings.model_cache, "htdemucs")
    finding = model_cache.check_model_cache(settings)
    assert finding.severity == "ok"
    assert finding.details["cached"] == ["htdemucs", "mdx"]
    assert finding.details["free_bytes"] == pytest.approx(
        shutil.disk_usage(settings.model_cache).free, rel=0.1
    )


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(model_cache=tmp_path / "file" / "cache", model_mirror=None)
    finding = model_cache.check_model_cache(settings)
    assert finding.severity == "warning"
    assert finding.details["writable"] is False
    assert "MASHUP_MODEL_CACHE" in str(finding.remedy)


def test_a_missing_mirror(tmp_path: Path) -> None:
    settings = Settings(model_cache=tmp_path, model_mirror=str(tmp_path / "gone"))
    finding = model_cache.check_model_cache(settings)
    assert finding.severity == "warning"
    assert "gone is not a folder" in finding.message


def test_packages_that_are_missing_are_errors(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda _: ["torch==2.11.*", "no-such_package>=1", "other>1; extra == 'dev'"],
    )
    finding = software.check_packages(settings)
    assert finding.severity == "error"
    assert finding.message == "not installed: no-such_package>=1"
    assert finding.remedy == "pip install 'no-such_package>=1'"


def test_packages_of_a_wrong_version_are_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = metadata.version("numpy")
    wanted = ["torch==2.*", "numpy<1", "soundfile<0; python_version<'3'"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    finding = software.check_packages(settings)
    assert finding.severity == "warning"
    assert f"{installed} for numpy<1" in finding.message
    assert finding.remedy == "pip install 'numpy<1'"
    monkeypatch.setattr(metadata, "requires", lambda _: wanted[:1])
    assert software.check_packages(settings).severity == "ok"


def test_services_that_are_not_set_need_no_libraries(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "S3_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for module in ("db.database", "queue.redis_client", "storage.objects"):
        monkeypatch.setitem(sys.modules, f"mashup_worker.{module}", None)
    for check in (services.check_database, services.check_redis, services.check_storage):
        assert check(settings).severity == "note"


def test_the_command_prints_a_line_a_check_and_ends_well() -> None:
    result = doctor()
    assert result.exit_code == 0
    assert result.stdout.startswith("ok ")
    assert len(result.stdout.splitlines()) == len(checks.CHECKS)


def test_the_command_with_json_and_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Finding("bad", "error", "broken", "mend it", {"why": 1})
    monkeypatch.setattr(checks, "CHECKS", {"bad": lambda _: bad})
    result = doctor("--json")
    assert result.exit_code == EXIT_ENVIRONMENT
    assert json.loads(result.stdout) == [dataclasses.asdict(bad)]


def test_the_command_with_a_setting_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHUP_OFFLINE", "perhaps")
    result = doctor()
    assert result.exit_code == EXIT_USAGE
    assert result.stdout == ""
    assert result.stderr.startswith("mashup: MASHUP_OFFLINE: ")
