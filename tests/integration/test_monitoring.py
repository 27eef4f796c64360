"""Metrics and health of real processes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
import redis
import soundfile
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rq import Queue
from rq.serializers import JSONSerializer

from mashup_worker.db.queues import pause
from mashup_worker.monitoring.processes import announced
from mashup_worker.system.digests import file_sha256
from tests.chaos.arena import Arena, until, with_port
from tests.e2e.command import excerpt

if TYPE_CHECKING:
    from uuid import UUID

    from tests.chaos.arena import Managed

ROOT = Path(__file__).parents[2]
ANY_PORT = {"MASHUP_METRICS_ADDRESS": "127.0.0.1:0"}
SERVED = re.compile(r"metrics on (http://127\.0\.0\.1:\d+)/metrics")
ROW = re.compile(r"^\| `(mashup_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", re.MULTILINE)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    media_type: str


def get(url: str, accept: str = "*/*", method: str = "GET") -> Answer:
    asked = urllib.request.Request(url, headers={"Accept": accept}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return Answer(answer.status, answer.read().decode(), answer.headers["Content-Type"])
    except HTTPError as error:
        return Answer(error.code, error.read().decode(), error.headers["Content-Type"])


def served_by(process: Managed) -> str:
    """Wait until a process serves its metrics; return their base URL."""
    until(lambda: bool(SERVED.search(process.log.read_text())), f"{process.name} to serve")
    found = SERVED.search(process.log.read_text())
    assert found is not None
    return found[1]


def scrape(base: str) -> Samples:
    """Return all samples of a scrape."""
    answer = get(f"{base}/metrics")
    assert answer.status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def total(samples: Samples, metric: str, **labels: str) -> float:
    """Return the sum of the samples with these labels."""
    wanted = set(labels.items())
    return sum(value for (name, has), value in samples.items() if name == metric and wanted <= has)


def user_of_tier(place: Arena, tier: str) -> UUID:
    with place.sql() as connection:
        row = connection.execute("INSERT INTO profiles DEFAULT VALUES RETURNING id").fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", [row["id"], tier]
        )
    user: UUID = row["id"]
    return user


def test_metrics_count_events(place: Arena) -> None:
    mirror, worker = place.mirror(**ANY_PORT), place.worker(2, **ANY_PORT)
    until(lambda: mirror.is_ready() and worker.is_ready(), "all processes to be ready")
    of_mirror, of_worker = served_by(mirror), served_by(worker)
    pro, free = user_of_tier(place, "pro"), user_of_tier(place, "free")
    jobs = [place.insert(user_id=pro) for _ in range(3)]
    jobs += [place.insert("inputs/broken"), *(place.insert("inputs/flaky") for _ in range(6))]
    jobs += [place.insert(user_id=free) for _ in range(2)]  # one more than its tier allows
    jobs.append(place.insert(job_type="dance <script>"))
    for job in jobs:
        place.ended(job)
    place.inject("working")
    jobs.append(place.insert(user_id=pro))
    place.ended(jobs[-1])
    rows = [place.job(job) for job in jobs]
    status = Counter(row["status"] for row in rows)
    until(
        lambda: (
            total(scrape(of_worker), "mashup_attempts_total", outcome="completed")
            == status["completed"]
        ),
        "the last to be counted",
    )
    samples = scrape(of_worker)
    flaky = [row for row in rows if row["input_data"]["audio"] == "inputs/flaky"]
    errors = "mashup_attempt_errors_total"
    assert total(samples, "mashup_attempts_total", outcome="completed", tier="pro") == 4
    assert total(samples, "mashup_attempts_total", outcome="completed", tier="free") == 1
    assert total(samples, errors, code="invalid_input", outcome="failed") == 1
    assert total(samples, errors, code="fetch_failed") == sum(row["failures"] for row in flaky)
    assert total(samples, "mashup_attempts_total", outcome="lost") == 0
    assert (
        total(samples, "mashup_attempt_seconds_count", outcome="completed") == status["completed"]
    )
    assert total(samples, "mashup_device_seconds_total", tier="pro") == pytest.approx(0.4)
    assert total(samples, "mashup_audio_seconds_total") == status["completed"]
    assert total(samples, "mashup_stage_seconds_count", stage="upload") == status["completed"]
    assert total(samples, "mashup_worker_process_exits_total", how="signal") == 1
    assert total(samples, "mashup_worker_process_starts_total") == 3
    assert total(samples, "mashup_out_of_memory_total") == 0
    for process in ("0", "1"):  # the restarted one reports again once it runs
        until(
            lambda process=process: (  # type: ignore[misc]
                total(scrape(of_worker), "mashup_worker_process_memory_bytes", process=process)
                > 10e6
            ),
            f"the memory of process {process}",
        )
    changes = "mashup_mirror_status_changes_total"
    samples = scrape(of_mirror)
    assert total(samples, changes, change="expire", code="lease_lost") == 1
    assert total(samples, changes, change="reject", job_type="other", code="invalid_input") == 1
    assert total(samples, "mashup_mirror_passes_total", outcome="done") > 1
    until(lambda: place.job(jobs[-1])["status"] == "completed", "the end")
    api = served_by(place.api(**ANY_PORT))
    assert get(f"{api}/readyz").status == 200
    check_documentation(of_mirror, of_worker, api)


def check_documentation(*services: str) -> None:
    """Compare the page with scrapes: kind, labels and help text; labels contain no ids."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)), words)
        for name, kind, labels, words in ROW.findall(page)
    }
    seen = set()
    for service in services:
        text = get(f"{service}/metrics").text
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)
        assert "dance" not in text
        for family in text_string_to_metric_families(text):
            if not family.name.startswith("mashup") or family.name == "mashup_build_info":
                continue
            name = family.name + ("_total" if family.type == "counter" else "")
            kind, labels, words = documented[name]
            assert (family.type, family.documentation) == (kind, words)
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == labels, name
            seen.add(name)
    assert seen == documented.keys()


def test_the_queue_is_measured_by_tier(place: Arena) -> None:
    mirror = place.mirror(**ANY_PORT)
    base = served_by(mirror)
    until(mirror.is_ready, "the mirror to be ready")
    studio = user_of_tier(place, "studio")
    jobs = [place.insert(user_id=studio), place.insert(), place.insert()]
    with place.sql() as connection:
        connection.execute(
            "UPDATE ai_jobs SET created_at = now() - interval '100 s' WHERE id = %s", [jobs[0]]
        )
    waiting = {"status": "queued", "job_type": "separate"}
    until(lambda: total(scrape(base), "mashup_open_jobs", **waiting) == 3, "the gauges")
    samples = scrape(base)
    assert total(samples, "mashup_open_jobs", tier="studio", **waiting) == 1
    assert total(samples, "mashup_open_jobs", tier="none", **waiting) == 2
    assert 100 <= total(samples, "mashup_oldest_job_age_seconds", tier="studio") < 700
    assert total(samples, "mashup_pending_wakeups", queue="gpu") == 3
    assert total(samples, "mashup_registered_worker_processes", queue="gpu") == 0
    assert total(samples, "mashup_queue_paused", queue="gpu") == 0
    with place.sql() as connection:
        pause(connection, "gpu", {"gpu": ["separate"]})
    until(lambda: total(scrape(base), "mashup_queue_paused", queue="gpu") == 1, "the pause")
    with place.sql() as connection:
        connection.execute("UPDATE ai_jobs SET cancel_requested_at = now()")
    until(lambda: total(scrape(base), "mashup_open_jobs") == 0, "the gauges")
    assert total(scrape(base), "mashup_oldest_job_age_seconds") == 0


def test_wakeups_are_readable_in_the_tools_of_rq(place: Arena) -> None:
    until(place.mirror().is_ready, "the mirror to be ready")
    job = place.insert(job_type="analyze")
    client = redis.Redis.from_url(place.info.redis_url)
    queue = Queue("mashup-gpu", connection=client, serializer=JSONSerializer)
    until(lambda: queue.count == 1, "the wake-up")
    (entry,) = queue.jobs
    assert entry.description == f"analyze {job}, attempt 1"
    client.close()


def test_readiness_follows_outages(place: Arena) -> None:
    url = with_port(place.info.worker_database_url, place.postgres_proxy.port)
    mirror, worker = place.mirror(DATABASE_URL=url, **ANY_PORT), place.worker(1, **ANY_PORT)
    bases = served_by(mirror), served_by(worker)
    assert get(f"{bases[1]}/livez") == Answer(200, "alive\n", "text/plain; charset=utf-8")
    until(lambda: all(get(f"{one}/readyz").status == 200 for one in bases), "readiness")
    place.postgres_proxy.set_mode("refuse")
    until(lambda: all(get(f"{one}/readyz").status == 503 for one in bases), "the outage")
    assert get(f"{bases[1]}/readyz").text == "not ready: process 0 waits for Postgres\n"
    assert get(f"{bases[0]}/readyz").text.startswith("not ready: no pass for ")
    assert [get(f"{one}/livez").status for one in bases] == [200, 200]
    assert total(scrape(bases[1]), "mashup_worker_processes_ready") == 0
    place.postgres_proxy.set_mode("pass")
    until(lambda: all(get(f"{one}/readyz").status == 200 for one in bases), "the return")


def test_a_killed_process_is_counted_and_replaced(place: Arena) -> None:
    worker = place.worker(1, **ANY_PORT)
    base = served_by(worker)
    until(lambda: get(f"{base}/readyz").status == 200, "readiness")
    place.inject("claimed")
    until(place.mirror().is_ready, "the mirror to be ready")
    place.insert()
    until(lambda: total(scrape(base), "mashup_worker_process_exits_total") == 1, "its exit")
    until(lambda: get(f"{base}/readyz").status == 200, "the replacement")
    assert total(scrape(base), "mashup_worker_process_starts_total", process="0") == 2


def test_other_paths_methods_and_formats(place: Arena) -> None:
    base = served_by(place.mirror(**ANY_PORT))
    assert get(f"{base}/").status == 404
    assert get(f"{base}/metrics", method="HEAD").text == ""
    assert get(f"{base}/metrics", method="POST").status == 501
    answer = get(f"{base}/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.media_type.startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics.text_string_to_metric_families(answer.text)}  # type: ignore[no-untyped-call]
    assert {"mashup_mirror_passes", "process_resident_memory_bytes"} <= names
    if shutil.which("promtool"):
        checked = subprocess.run(
            ["promtool", "check", "metrics"],
            input=get(f"{base}/metrics").text.encode(),
            capture_output=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("taken", 3, "metrics on 127.0.0.1:"),
        ("nonsense", 1, "'nonsense': not of the form HOST:PORT"),
        ("127.0.0.1:99999", 1, "not of the form HOST:PORT"),
    ],
)
def test_invalid_and_occupied_addresses_are_refused(
    place: Arena, address: str, code: int, words: str
) -> None:
    base = served_by(place.mirror(**ANY_PORT))
    wanted = base.removeprefix("http://") if address == "taken" else address
    done = subprocess.run(
        [sys.executable, "-m", "mashup_worker", "mirror", "--metrics", wanted],
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_real_worker_counts_and_logs(place: Arena, tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    soundfile.write(song, excerpt(8.0), 44_100)
    place.storage().put(
        "inputs/song.flac", song, content_type="audio/flac", sha256=file_sha256(song)
    )
    settings = {"MASHUP_MODEL": "lite", "MASHUP_OFFLINE": "1", "MASHUP_LOG_FORMAT": "json"}
    worker = place.command("worker", "--metrics", "127.0.0.1:0", "--device", "cpu", **settings)
    mirror = place.mirror()
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    found = re.search(r"http://127\.0\.0\.1:\d+", worker.log.read_text())
    assert found is not None
    with redis.Redis.from_url(place.info.redis_url) as client:
        until(lambda: [one.state for one in announced(client)] == ["ready"], "the announcement")
        (process,) = announced(client)
    assert (process.device, process.models, process.queue) == ("cpu", ("lite",), "gpu")
    job = place.insert("inputs/song.flac", job_type="analyze")
    row = place.ended(job)
    assert row["status"] == "completed", row["error_message"]
    count = "mashup_times_real_time_count"
    until(lambda: total(scrape(found[0]), count) == 1, "the count")
    samples = scrape(found[0])
    assert total(samples, "mashup_audio_seconds_total", job_type="analyze") == pytest.approx(8.0)
    for stage, seconds in row["output_data"]["timings_s"].items():
        if stage != "device":
            measured = total(samples, "mashup_stage_seconds_sum", job_type="analyze", stage=stage)
            assert measured == pytest.approx(seconds)
    worker.send(signal.SIGTERM)
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if '"time"' in line]
    (ended,) = (line for line in lines if line["message"].startswith("completed after"))
    assert (ended["job"], ended["attempt"], ended["stage"]) == (str(job), 1, "upload")
