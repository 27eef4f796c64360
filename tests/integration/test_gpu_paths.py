"""The tests marked `gpu` pass on the fake CUDA device, in a process that sees no other.

`tests/fake_cuda` lists what it finds, and what only a GPU shows. A test fails by what it asserts,
and by any defect that the fake device finds while it runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

ROOT = Path(__file__).parents[2]

LEAST_TESTS = 75
"""Tests that run on the fake device. Fewer means that they are no longer found."""

MUST_RUN = (
    "test_the_captured_network_equals_the_cpu[fp16-True",
    "test_the_host_never_waits_while_a_song_on_the_device_is_separated[fp32]",
    "test_the_host_never_waits_while_a_song_on_the_device_is_separated[bf16]",
    "test_concurrent_songs_equal_separate_songs[bf16]",
    "test_while_recording_batches_are_halved",
)


@pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")
def test_the_gpu_tests_pass_on_the_fake_device(tmp_path: Path) -> None:
    report, tests = tmp_path / "report.xml", (ROOT / "tests").rglob("test_*.py")
    files = [str(path) for path in tests if "mark.gpu" in path.read_text(encoding="utf-8")]
    plugins = ("-p", "tests.fake_cuda.plugin", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-m", "gpu", f"--junitxml={report}", *files],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout + done.stderr
    cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = [reason for case in cases if (reason := case.find("skipped")) is not None]
    assert all("needs a real GPU" in reason.get("message", "") for reason in skipped)
    ran = [case.get("name", "") for case in cases if case.find("skipped") is None]
    assert len(ran) >= LEAST_TESTS
    for name in MUST_RUN:
        assert any(one.startswith(name) for one in ran), name
