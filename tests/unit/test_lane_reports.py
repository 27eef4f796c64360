"""What lanes tell their supervisor, and what is made of it: metrics, rules and a dashboard."""

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
from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
from mashup_worker.monitoring.reports import (
    OUTCOMES,
    AttemptReport,
    VitalsReport,
    line_of,
    report_of,
    teller,
)
from mashup_worker.monitoring.server import parse_address
from mashup_worker.monitoring.vitals import device_bytes, resident_bytes
from mashup_worker.monitoring.worker_metrics import WorkerMetrics
from mashup_worker.worker.account import Account
from mashup_worker.worker.lease import HandBackError

MONITORING = Path(__file__).parents[2] / "monitoring"
SUFFIXES = ("_total", "_bucket", "_sum", "_count", "")

ATTEMPT = AttemptReport("separate", "pro", "completed", "", 2.0, {"fetch": 0.5}, 1.0, 30.0)


@pytest.mark.parametrize("report", [ATTEMPT, VitalsReport(5, {"free": 1}, ("Redis",))])
def test_a_report_comes_back(report: AttemptReport | VitalsReport) -> None:
    back = report_of(line_of(report))
    assert back is not None
    assert line_of(back) == line_of(report)


@pytest.mark.parametrize(
    "line", ["", "ready x", "{", "{}", "[]", '{"attempt": 1}', '{"attempt": {"x": 1}}', '{"a": {}}']
)
def test_other_lines_are_none(line: str) -> None:
    assert report_of(line) is None
    metrics = WorkerMetrics(1)
    metrics.said(0, line)


def test_a_full_pipe_is_not_waited_for_and_lines_stay_whole() -> None:
    reader, writer = os.pipe()
    tell = teller(writer)
    for _ in range(2_000):
        tell(ATTEMPT)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines(keepends=True)
    assert 100 < len(lines) < 2_000
    assert set(lines) == {line_of(ATTEMPT)}
    tell(ATTEMPT)  # nobody reads any more


def test_a_silent_lane_and_a_dead_one_are_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    metrics = WorkerMetrics(2)
    for lane in (0, 1):
        metrics.started(lane)
    assert metrics.not_ready() == "lane 0 is starting; lane 1 is starting"
    metrics.listens(0)
    metrics.listens(1)
    assert metrics.not_ready() is None
    now_s[0] += 61
    metrics.said(1, line_of(VitalsReport(1)))
    assert metrics.not_ready() == "lane 0 is silent for 61 s"
    assert metrics.not_alive() == "it stands still for 61 s"
    metrics.turned()
    metrics.ended(1, -9)
    assert metrics.not_ready() == "lane 0 is silent for 61 s; lane 1 is starting"
    assert metrics.not_alive() is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_memory_of_the_device_is_told() -> None:
    held = torch.zeros(1 << 24, device="cuda")
    told = device_bytes()
    assert told["allocated"] >= held.nbytes
    assert told["reserved"] >= told["allocated"]
    assert told["total"] > told["free"] > 0


def test_a_machine_without_a_device_tells_none() -> None:
    assert torch.cuda.is_initialized() or device_bytes() == {}
    assert resident_bytes() > 10_000_000


def account(**columns: object) -> tuple[Account, Job]:
    blank = {field.name: None for field in fields(Job)}
    return Account("separate", "pro"), Job(**{**blank, **columns})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("completed", None, "completed"),
        ("failed", InvalidInput("x"), "failed"),
        ("canceled", Canceled(), "canceled"),
        ("queued", StorageFailed("x"), "retried"),
        ("queued", HandBackError("x"), "handed_back"),
        (None, LeaseLost(), "lost"),
    ],
)
def test_outcomes(status: str | None, error: Exception | None, outcome: str) -> None:
    kept, job = account(status=status, error_code="storage_failed")
    report = kept.report(job if status else None, error)
    assert (report.outcome, report.tier) == (outcome, "pro")
    assert report.code == ("storage_failed" if outcome in ("failed", "retried") else "")


def test_a_reused_result_took_no_device_and_is_no_measure_of_speed() -> None:
    output = {
        "audio": {"duration_s": 30.0},
        "timings_s": {"fetch": 0.5, "device": 0.0},
        "reused_job_id": "x",
    }
    kept, job = account(status="completed", output_data=output)
    report = kept.report(job, None)
    assert (report.sound_s, report.device_s, dict(report.stages_s)) == (30.0, 0.0, {"fetch": 0.5})
    metrics = WorkerMetrics(1)
    metrics.said(0, line_of(report))
    value = metrics.registry.get_sample_value
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
    """Metrics of worker and mirror, and the labels of those that have any."""
    page = (MONITORING.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(mashup_\w+)` \| \w+ \| (.*?) \|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_the_page_names_what_is_there() -> None:
    """Labels and words are compared with a real scrape elsewhere."""
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for metrics in (WorkerMetrics(1), MirrorMetrics(1.0))
        for family in metrics.registry.collect()
        if family.name.startswith("mashup_")
    }
    assert exposed().keys() == there - {"mashup_build_info"}
    page = (MONITORING.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{outcome}`" in page for outcome in OUTCOMES)


@pytest.mark.parametrize("name", ["alerts.yml", "grafana-dashboard.json"])
def test_rules_and_dashboard_ask_for_what_is_there(name: str) -> None:
    text = (MONITORING / name).read_text(encoding="utf-8").replace('\\"', '"')
    asked = set(re.findall(r"\bmashup_[a-z_]+", text))
    known = exposed()
    assert len(asked) >= 10
    for metric in asked:
        assert any(metric.removesuffix(suffix) in known or metric in known for suffix in SUFFIXES)
    for metric, matchers in re.findall(r"\b(mashup_[a-z_]+)\{([^}]*)\}", text):
        base = next(b for b in (metric, *(metric.removesuffix(s) for s in SUFFIXES)) if b in known)
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert used <= known[base], metric


def test_alerts_lead_to_a_section() -> None:
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
    # Each is silent where all is well, and fires where it is not.
    assert [rule["alert"] for rule in rules if tested.count(rule["alert"]) < 2] == []


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_rules_by_their_own_tool() -> None:
    for command in (
        ["promtool", "check", "rules", "alerts.yml"],
        ["promtool", "check", "config", "prometheus.yml"],
        ["promtool", "test", "rules", "alerts_test.yml"],
    ):
        done = subprocess.run(command, cwd=MONITORING, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_dashboard_asks_well(tmp_path: Path) -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    assert len(asked) > 20
    rules = [{"record": f"a:{number}", "expr": expr} for number, expr in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
