"""docs/performance.md is what the committed documents say, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

from benchmarks.performance_page import PAGE, documents, page
from mashup_worker.bench.machine import Machine
from mashup_worker.bench.results import Ratio, Results
from tests.unit.bench.documents import full


def test_the_page_is_made_of_the_committed_documents() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(documents())


def test_documents_hold_no_names_of_places() -> None:
    for path in PAGE.parents[1].glob("benchmarks/results/*.json"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w<])/\w|\\\\|@", text.replace("MB/s", "")), path.name


def test_without_a_gpu_the_page_names_the_command() -> None:
    assert "make gpu" in page([full()])
    gpu = Results(Machine("NVIDIA X", "cuda", "580", 8 << 30, "CPU", 8, None))
    assert "make gpu" not in page([gpu])
    assert "driver 580" in page([gpu])


def test_each_arithmetic_has_its_own_row_and_ratio() -> None:
    made = full()
    assert made.separation is not None
    ours, stock = (
        replace(run, label=name)
        for run, name in zip(made.separation.runs, ("ours 1", "demucs 4"), strict=False)
    )
    half = replace(ours, precision="fp16", compiled=True)
    separation = replace(
        made.separation,
        limit=None,
        runs=(ours, stock, half),
        ratios=(Ratio.of(ours, stock, 8.25), Ratio.of(half, stock, 9.5)),
    )
    text = page([replace(made, separation=separation)])
    assert re.search(r"\| bf16 \| [^|]+ \| 8\.25 \|", text)
    assert re.search(r"\| fp16 compiled \| [^|]+ \| 9\.50 \|", text)
    assert "ours 1 in fp16, compiled is 9.50 times as fast as demucs 4." in text
    assert "Against the limit" not in text


def test_a_page_of_everything_shows_every_section() -> None:
    text = page([full()])
    for heading in (
        *("Separation", "Against the limit", "Files to files", "Analysis", "Mashup"),
        "Worker processes",
    ):
        assert f"### {heading}" in text
    rows = [line for line in text.splitlines() if line.endswith("1 of 2: too little memory |")]
    assert [row.split(" | ")[0] for row in rows] == ["| 2"]
    assert "ours is 2.00 times as fast as theirs" in text
    assert "Not run: unblend: not here." in text
    assert "times real time" in text
    assert "Worker processes" not in page([replace(full(), processes=None)])
