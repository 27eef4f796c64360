"""Reports of worker processes, and the metrics, rules and dashboard that they feed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml

from mashup_worker.db.jobs import Job
from mashup_worker.errors import Canceled, InvalidInput, LeaseLost, StorageFailed
from mashup_worker.monitoring.api_metrics import ApiMetrics
from mashup_worker.monitoring.health import device_bytes, device_name, resident_bytes
from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
from mashup_worker.monitoring.reports import (
    OUTCOMES,
    AttemptReport,
    HealthReport,
    decode_report,
    encode_report,
    report_writer,
)
from mashup_worker.monitoring.server import parse_address
from mashup_worker.monitoring.worker_metrics import WorkerMetrics
from mashup_worker.worker.attempt_metrics import AttemptMetrics
from mashup_worker.worker.lease import JobReleased

MONITORING = Path(__file__).parents[3] / "monitoring"
SUFFIXES = ("_total", "_bucket", "_sum", "_count", "")

ATTEMPT = AttemptReport(
    job_type="separate",
    tier="pro",
    outcome="completed",
    seconds=2.0,
    stages_s={"fetch": 0.5},
    device_s=1.0,
    audio_s=30.0,
)
HEALTH = HealthReport(memory_bytes=5, device_bytes={"free": 1}, unreachable=("Redis",))


@pytest.mark.parametrize("report", [ATTEMPT, HEALTH])
def test_a_report_survives_encoding(report: AttemptReport | HealthReport) -> None:
    back = decode_report(encode_report(report))
    assert back is not None
    assert encode_report(back) == encode_report(report)


@pytest.mark.parametrize(
    "line", ["", "ready x", "{", "{}", "[]", '{"attempt": 1}', '{"attempt": {"x": 1}}', '{"a": {}}']
)
def test_other_lines_are_no_reports(line: str) -> None:
    assert decode_report(line) is None
    metrics = WorkerMetrics(1)
    metrics.output(0, line)


def test_a_full_pipe_drops_whole_lines_without_blocking() -> None:
    reader, writer = os.pipe()
    send = report_writer(writer)
    for _ in range(2_000):
        send(ATTEMPT)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines(keepends=True)
    assert 100 < len(lines) < 2_000
    assert set(lines) == {encode_report(ATTEMPT)}
    send(ATTEMPT)  # the reader is closed


def test_silent_and_dead_processes_are_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    metrics = WorkerMetrics(2)
    for process in (0, 1):
        metrics.started(process)
    assert metrics.not_ready() == "process 0 is starting; process 1 is starting"
    metrics.ready(0)
    metrics.ready(1)
    assert metrics.not_ready() is None
    now_s[0] += 61
    metrics.output(1, encode_report(HealthReport(memory_bytes=1)))
    assert metrics.not_ready() == "process 0 is silent for 61 s"
    assert metrics.not_alive() == "stalled for 61 s"
    metrics.looped()
    metrics.exited(1, -9)
    assert metrics.not_ready() == "process 0 is silent for 61 s; process 1 is starting"
    assert metrics.not_alive() is None


@pytest.mark.gpu
def test_the_memory_of_the_device_is_reported() -> None:
    held = torch.zeros(1 << 24, device="cuda")
    found = device_bytes()
    assert found["allocated"] >= held.nbytes
    assert found["reserved"] >= found["allocated"]
    assert found["total"] > found["free"] > 0
    of_first = device_bytes("cuda:0")
    assert of_first["allocated"] >= held.nbytes
    assert device_name("cuda:0") == torch.cuda.get_device_name(0)
    assert (device_bytes("cpu"), device_name("cpu")) == ({}, None)


def test_a_process_without_cuda_reports_no_device_memory() -> None:
    assert torch.cuda.is_initialized() or device_bytes() == {}
    assert resident_bytes() > 10_000_000


def ended(**columns: object) -> tuple[AttemptMetrics, Job]:
    blank = {field.name: None for field in fields(Job)}
    return AttemptMetrics("separate", "pro"), Job(**{**blank, **columns})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("completed", None, "completed"),
        ("failed", InvalidInput("x"), "failed"),
        ("canceled", Canceled(), "canceled"),
        ("queued", StorageFailed("x"), "retried"),
        ("queued", JobReleased("x"), "released"),
        (None, LeaseLost(), "lost"),
    ],
)
def test_outcomes(status: str | None, error: Exception | None, outcome: str) -> None:
    metrics, job = ended(status=status, error_code="storage_failed")
    report = metrics.report(job if status else None, error)
    assert (report.outcome, report.tier) == (outcome, "pro")
    assert report.code == ("storage_failed" if outcome in ("failed", "retried") else "")


def test_a_reused_result_counts_no_device_time_and_no_speed() -> None:
    output = {
        "audio": {"duration_s": 30.0},
        "timings_s": {"fetch": 0.5, "device": 0.0},
        "reused_job_id": "x",
    }
    metrics, job = ended(status="completed", output_data=output)
    report = metrics.report(job, None)
    assert (report.audio_s, report.device_s, dict(report.stages_s)) == (30.0, 0.0, {"fetch": 0.5})
    counted = WorkerMetrics(1)
    counted.output(0, encode_report(report))
    value = counted.registry.get_sample_value
    assert value("mashup_reused_results_total", {"job_type": "separate"}) == 1
    assert not value("mashup_times_real_time_count", {"job_type": "separate"})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":9108", ("0.0.0.0", 9108)),
        ("[::1]:0", ("::1", 0)),
        ("worker-1.internal:65535", ("worker-1.internal", 65_535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


def exposed() -> dict[str, set[str]]:
    """Return the documented metrics with their labels."""
    page = (MONITORING.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(mashup_\w+)` \| \w+ \| (.*?) \|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_the_page_documents_every_metric() -> None:
    """Labels and help texts are compared with a real scrape in tests/integration."""
    defined = {
        family.name + ("_total" if family.type == "counter" else "")
        for metrics in (WorkerMetrics(1), MirrorMetrics(1.0), ApiMetrics())
        for family in metrics.registry.collect()
        if family.name.startswith("mashup_")
    }
    assert exposed().keys() == defined - {"mashup_build_info"}, "change docs/metrics.md"
    page = (MONITORING.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{outcome}`" in page for outcome in OUTCOMES)


@pytest.mark.parametrize("name", ["alerts.yml", "grafana-dashboard.json"])
def test_rules_and_dashboard_use_existing_metrics(name: str) -> None:
    text = (MONITORING / name).read_text(encoding="utf-8").replace('\\"', '"')
    used = set(re.findall(r"\bmashup_[a-z_]+", text))
    known = exposed()
    assert len(used) >= 10
    for metric in used:
        assert any(metric.removesuffix(suffix) in known or metric in known for suffix in SUFFIXES)
    for metric, matchers in re.findall(r"\b(mashup_[a-z_]+)\{([^}]*)\}", text):
        base = next(b for b in (metric, *(metric.removesuffix(s) for s in SUFFIXES)) if b in known)
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= known[base], metric


def test_alerts_link_to_an_existing_section() -> None:
    page = (MONITORING.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = {
        line.strip("# ").lower().replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("##")
    }
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        place, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert place == "docs/operations.md"
        assert anchor in sections, rule["alert"]
    tested = (MONITORING / "alerts_test.yml").read_text(encoding="utf-8")
    # A test for each rule that fires, and one that does not.
    assert [rule["alert"] for rule in rules if tested.count(rule["alert"]) < 2] == []


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_rules() -> None:
    for command in (
        ["promtool", "check", "rules", "alerts.yml"],
        ["promtool", "check", "config", "prometheus.yml"],
        ["promtool", "test", "rules", "alerts_test.yml"],
    ):
        done = subprocess.run(command, cwd=MONITORING, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_dashboard(tmp_path: Path) -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    expressions = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    assert len(expressions) > 20
    rules = [{"record": f"a:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
