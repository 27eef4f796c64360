"""Documents of measurements: what they hold, and how a new one joins an older."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mashup_worker.bench.documents import from_json, read, save, to_json
from mashup_worker.bench.plot import results_png
from mashup_worker.bench.results import Results, Work
from mashup_worker.bench.text import processor_time, run_cells, significant
from mashup_worker.errors import InvalidInput
from tests.unit.bench.documents import MACHINE, a_run, full

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_in_figures() -> None:
    run = a_run("ours", 10)
    assert (run.p50_s, run.p95_s) == (10, 19)
    assert (run.times_real_time, run.tracks_per_hour) == (6, 360)
    assert run.cost_per_track == pytest.approx(2 / 360)
    assert run.snr_db == 47.1


def test_several_tracks_a_round() -> None:
    run = Work(tracks=4, track_s=30).run("ours", [20.0], peak_host_bytes=0)
    assert (run.times_real_time, run.tracks_per_hour) == (6, 720)
    assert run.cost_per_track is None


def test_the_time_of_all_cores_in_stages() -> None:
    mashup = full().mashup
    assert mashup is not None
    assert processor_time(mashup) == (
        "12.0 s of processor time (5.00 times real time on a core), rendered 2 times: "
        "read 25%, stretch 75%."
    )


def test_documents_come_back_as_they_were() -> None:
    assert from_json(to_json(full())) == full()


def test_documents_from_before_a_section_was_measured_are_read() -> None:
    document = json.loads(to_json(full()))
    del document["processes"]
    assert from_json(json.dumps(document)) == replace(full(), processes=None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("machine"),
        lambda document: document.update(schema=99),
        lambda document: document["separation"]["runs"][0].update(p50_s="fast"),
    ],
)
def test_other_documents_are_refused(damage: object) -> None:
    document = json.loads(to_json(full()))
    damage(document)  # type: ignore[operator]
    with pytest.raises(InvalidInput):
        from_json(json.dumps(document))


def test_an_older_schema_is_named(tmp_path: Path) -> None:
    document = json.loads(to_json(full()))
    document["pipeline"]["lanes"] = document["pipeline"].pop("in_flight")
    with pytest.raises(InvalidInput, match="schema 1; this version reads 2"):
        from_json(json.dumps(document | {"schema": 1}))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InvalidInput, match=r"list\.json: .*no JSON object"):
        read(tmp_path / "list.json")


def test_a_limit_that_was_not_measured_anew_stays(tmp_path: Path) -> None:
    save(full(), tmp_path)
    before = full().separation
    assert before is not None
    newer = replace(before, limit=None, runs=before.runs[:1])
    whole, _ = save(Results(MACHINE, separation=newer), tmp_path)
    assert whole.separation == replace(newer, limit=before.limit)
    other = replace(newer, model="another")
    whole, _ = save(Results(MACHINE, separation=other), tmp_path)
    assert whole.separation == other


def test_a_section_takes_the_place_of_its_older_self_and_of_nothing_else(tmp_path: Path) -> None:
    save(full(), tmp_path)
    newer = replace(full().pipeline, model="other")  # type: ignore[type-var]
    whole, path = save(Results(MACHINE, pipeline=newer), tmp_path)
    assert path.name == "some-cpu-2-ghz-2-cores.json"
    assert whole.pipeline == newer
    assert whole.separation == full().separation
    assert whole.processes == full().processes
    assert read(path) == whole


def test_another_driver_starts_anew_and_other_memory_does_not(tmp_path: Path) -> None:
    save(full(), tmp_path)
    other = replace(MACHINE, memory_bytes=1)
    whole, _ = save(Results(other, analyze=full().analyze), tmp_path)
    assert whole.separation == full().separation
    other = replace(MACHINE, driver="581")
    whole, _ = save(Results(other, analyze=full().analyze), tmp_path)
    assert whole.separation is None


@pytest.mark.parametrize(
    ("device", "kind", "slug"),
    [
        (
            "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz",
            "cpu",
            "intel-xeon-gold-6248-cpu-2-50ghz-2-cores",
        ),
        ("NVIDIA H200", "cuda", "nvidia-h200"),
    ],
)
def test_names_of_files(device: str, kind: str, slug: str) -> None:
    assert replace(MACHINE, device=device, kind=kind).slug == slug


def test_a_file_that_is_no_document_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / f"{MACHINE.slug}.json"
    path.write_text("{}")
    with pytest.raises(InvalidInput, match=r"some-cpu-2-ghz-2-cores\.json"):
        save(full(), tmp_path)
    assert path.read_text() == "{}"


def test_a_picture_of_everything_and_of_nothing() -> None:
    for results in (full(), Results(MACHINE)):
        picture = results_png(results)
        assert picture.startswith(b"\x89PNG")
        width = int.from_bytes(picture[16:20], "big")
        assert width == 1300


def test_tables_leave_unmeasured_values_empty() -> None:
    cells = run_cells(a_run("ours", 10))
    assert cells["device GB"] == cells["busy"] == ""
    assert cells["SNR to fp32"] == "47 dB"
    assert run_cells(replace(a_run("ours", 10), snr_db=None))["SNR to fp32"] == "equal"


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_three_digits(value: float, text: str) -> None:
    assert significant(value) == text
