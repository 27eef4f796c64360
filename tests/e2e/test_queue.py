"""Jobs in a running service, inserted by a client without this package."""

from __future__ import annotations

import hashlib
import io
import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
import soundfile
from psycopg.types.json import Jsonb

from mashup_worker.licenses import SPLEETER_LICENSE
from tests.e2e.command import excerpt
from tests.e2e.service import Service, new_mashup, new_user, read
from tests.fuzz.corpus import bombs, impostors

if TYPE_CHECKING:
    from pathlib import Path

STEMS = {"vocals", "drums", "bass", "other"}


@pytest.fixture(scope="module")
def user(service: Service) -> UUID:
    return new_user(service)


@pytest.fixture(scope="module")
def separated(service: Service, user: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """Separate two songs for two mashups of a user; return mashups and rows."""
    mashups = [new_mashup(service, user) for _ in range(2)]
    made = [
        service.insert(
            user,
            "separate",
            {"audio": service.upload(user, f"{n}.flac", 4.0 + 8 * n), "mashup_id": str(mashup)},
        )
        for n, mashup in enumerate(mashups)
    ]
    return [(mashup, service.ended(user, job)) for mashup, job in zip(mashups, made, strict=True)]


def test_separate_publishes_stems_and_analysis(
    service: Service, user: UUID, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    for mashup, row in separated:
        assert (row["status"], row["error_message"]) == ("completed", None)
        output = row["output_data"]
        assert {stem["kind"] for stem in output["stems"]} == STEMS
        for stem in output["stems"]:
            data = read(stem["url"])
            assert (len(data), hashlib.sha256(data).hexdigest()) == (stem["bytes"], stem["sha256"])
            assert soundfile.info(io.BytesIO(data)).duration == pytest.approx(stem["duration_s"])
            peaks = json.loads(read(stem["peaks_url"]))
            assert peaks["version"] == 2
            assert len(peaks["data"]) == 2 * peaks["length"]
            assert stem["key"].startswith(f"jobs/{row['id']}/1/")
        assert output["analysis"]["tempo_bpm"] > 0
        assert output["timings_s"]["device"] > 0
        (updated,) = service.as_user(user, "SELECT * FROM mashups WHERE id = %s", mashup)
        assert (updated["has_stems"], updated["stems_count"]) == (True, 4)
        stems = service.as_user(user, "SELECT * FROM mashup_stems WHERE mashup_id = %s", mashup)
        assert {stem["storage_key"] for stem in stems} == {s["key"] for s in output["stems"]}
        registered = service.as_user(user, "SELECT * FROM stems WHERE job_id = %s", row["id"])
        assert {stem["id"] for stem in registered} == {stem["stem_id"] for stem in stems}
        assert {stem["tempo_bpm"] for stem in registered} == {output["analysis"]["tempo_bpm"]}


def test_redis_has_the_same_status(
    service: Service, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    with redis.Redis.from_url(service.facts["redis_url"], decode_responses=True) as client:
        for _, row in separated:
            copied = client.hgetall(f"ai_jobs:{row['id']}")
            assert (copied["status"], copied["progress"]) == ("completed", "100")
            assert json.loads(copied["output_data"]) == row["output_data"]


def test_the_license_of_the_model_is_kept(
    service: Service, user: UUID, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    for _, row in separated:
        assert row["output_data"]["model"]["license"] == SPLEETER_LICENSE.as_dict()
        kept = service.as_user(
            user, "SELECT * FROM mashup_worker.job_models WHERE job_id = %s", row["id"]
        )
        assert kept == [
            {"job_id": row["id"], "model": "lite", "license": "MIT", "license_class": "permissive"}
        ]


def test_mashup_of_registered_stems_credits_them(
    service: Service, user: UUID, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    def stem(number: int, kind: str) -> dict[str, Any]:
        (row,) = service.sql(
            "SELECT id FROM stems WHERE job_id = %s AND kind = %s", separated[number][1]["id"], kind
        )
        return {"stem_id": str(row["id"]), "kind": kind}

    stems = [stem(0, "vocals"), stem(1, "drums"), stem(1, "bass"), stem(1, "other")]
    config = {"form": "medley", "vibe": "club"}
    job = service.insert(user, "mashup", {"stems": stems, "config": config})
    row = service.ended(user, job)
    assert (row["status"], row["error_message"]) == ("completed", None)
    output = row["output_data"]
    assert {one["stem_id"] for one in output["stems_used"]} == {one["stem_id"] for one in stems}
    lite = {"name": "lite", "license": "MIT", "license_class": "permissive"}
    assert [one["model"] for one in output["stems_used"]] == [lite] * 4
    data = read(output["audio"]["url"])
    assert hashlib.sha256(data).hexdigest() == output["audio"]["sha256"]
    assert soundfile.info(io.BytesIO(data)).format == "MP3"
    assert output["report"]["measurements"]
    assert output["plan"]["form"] == "medley"
    assert "/tmp" not in json.dumps(output["plan"])

    mine = service.api(user, "mashups", {"job_id": str(job), "title": "Night"})
    assert hashlib.sha256(service.api(user, f"mashups/{mine['id']}/audio")).digest() == (
        hashlib.sha256(data).digest()
    )
    assert service.api(user, f"mashups/{mine['id']}/peaks")["data"]
    assert service.api(user, f"mashups/{mine['id']}/credits?amount=7")["credits"] == [
        {"user_id": str(user), "stems": 4, "share": 10_000, "amount": 7}
    ]
    vocals = stems[0]["stem_id"]
    details = service.api(user, f"stems/{vocals}")
    assert details["usage_count"] == 1
    assert details["provenance"]["model"] == "lite"
    assert (
        hashlib.sha256(service.api(user, f"stems/{vocals}/audio")).hexdigest()
        == (details["sha256"])
    )
    fitting = service.api(user, f"stems?compatible_with={vocals}&kind=drums")["items"]
    assert stems[1]["stem_id"] in {one["id"] for one in fitting}

    saved = new_mashup(service, user)
    for _ in range(2):
        (linked,) = service.as_user(user, "SELECT link_stems(%s, %s) AS credited", saved, job)
        assert linked["credited"] == 4
    links = service.sql("SELECT stem_id FROM stem_mashup_links WHERE mashup_id = %s", saved)
    logged = service.sql("SELECT stem_id, job_id FROM stem_usage_log WHERE mashup_id = %s", saved)
    assert len(links) == len(logged) == 4
    other = new_user(service)
    (linked,) = service.as_user(other, "SELECT link_stems(%s, %s) AS credited", saved, job)
    assert linked["credited"] == 0
    (without_user,) = service.sql(
        "INSERT INTO ai_jobs (job_type, input_data) VALUES ('mashup', %s) RETURNING id",
        Jsonb({"stems": stems}),
    )
    foreign = new_mashup(service, other)
    (linked,) = service.as_user(
        other, "SELECT link_stems(%s, %s) AS credited", foreign, without_user["id"]
    )
    assert linked["credited"] == 0


def test_master_and_analyze(service: Service, user: UUID) -> None:
    song = service.upload(user, "mix.flac", 10.0)
    damaged = service.upload(user, "damaged.wav", 10.0, behind=b"\xaa" * 1_000)
    master = service.insert(
        user, "master", {"audio": damaged, "loudness_lufs": -16, "format": "wav"}
    )
    analyze = service.insert(user, "analyze", {"audio": song, "unknown": "blue"})
    output = service.ended(user, master)["output_data"]
    assert output["report"]["loudness_lufs"] == pytest.approx(-16, abs=0.3)
    assert output["report"]["true_peak_dbtp"] <= -1
    assert output["warnings"] == ["input_data.audio: 1,000 bytes behind the audio are ignored"]
    assert len(read(output["audio"]["url"])) == output["audio"]["bytes"]
    output = service.ended(user, analyze)["output_data"]
    assert output["analysis"]["beats_s"]
    assert output["warnings"] == ["input_data.unknown: unknown key, ignored"]


def test_postgres_and_redis_announce_changes(service: Service, user: UUID) -> None:
    with (
        psycopg.connect(service.facts["database_url"], autocommit=True) as connection,
        redis.Redis.from_url(service.facts["redis_url"], decode_responses=True) as client,
        client.pubsub(ignore_subscribe_messages=True) as channel,
    ):
        connection.execute("LISTEN ai_jobs")
        channel.subscribe("ai_jobs")
        job = service.insert(
            user, "analyze", {"audio": service.upload(user, "announced.flac", 6.0)}
        )
        service.ended(user, job)
        payloads: list[str] = []
        while payloads.count(str(job)) < 3:  # inserted, started, completed
            received = [one.payload for one in connection.notifies(timeout=60, stop_after=1)]
            assert received
            payloads += received
        mine: list[str] = []
        end_s = time.monotonic() + 120
        while "completed" not in mine:
            assert time.monotonic() < end_s
            message = channel.get_message(timeout=1)
            document = json.loads(message["data"]) if message else {}
            mine += [document["status"]] if document.get("id") == str(job) else []
    assert list(dict.fromkeys(mine)) in (
        ["queued", "processing", "completed"],
        ["processing", "completed"],
    )


def test_a_repeated_job_reuses_the_results_of_the_same_user(
    service: Service, user: UUID, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    _, first = separated[0]
    other = new_user(service)
    foreign = service.insert(other, "separate", {"audio": service.upload(other, "same.flac", 4.0)})
    again = service.insert(user, "separate", {"audio": first["input_data"]["audio"]})
    assert service.ended(other, foreign)["output_data"]["reused_job_id"] is None
    row = service.ended(user, again)
    assert row["output_data"]["reused_job_id"] == str(first["id"])
    assert row["output_data"]["timings_s"]["device"] == 0
    old = {stem["kind"]: stem for stem in first["output_data"]["stems"]}
    for stem in row["output_data"]["stems"]:
        assert stem["key"].startswith(f"jobs/{again}/1/")
        assert hashlib.sha256(read(stem["url"])).hexdigest() == old[stem["kind"]]["sha256"]


def test_a_reused_result_has_its_warnings_and_those_of_its_own_input(
    service: Service, user: UUID
) -> None:
    song = {"audio": service.upload(user, "warned.flac", 4.0), "export": ["native-stem"]}
    outputs = [
        service.ended(user, service.insert(user, "analyze", song | {name: "blue"}))["output_data"]
        for name in ("mood", "color")
    ]
    assert [one["reused_job_id"] is None for one in outputs] == [True, False]
    (of_input, failed), again = outputs[0]["warnings"], outputs[1]["warnings"]
    assert of_input == "input_data.mood: unknown key, ignored"
    assert failed.startswith("export native-stem: ")
    assert again == ["input_data.color: unknown key, ignored", failed]


def test_two_separations_for_one_mashup_do_not_mix(service: Service, user: UUID) -> None:
    mashup = new_mashup(service, user)
    made = [
        service.insert(
            user,
            "separate",
            {"audio": service.upload(user, f"both-{n}.flac", 5.0 + n), "mashup_id": str(mashup)},
        )
        for n in range(2)
    ]
    rows = [service.ended(user, job) for job in made]
    for row in rows:
        for stem in row["output_data"]["stems"]:
            assert hashlib.sha256(read(stem["url"])).hexdigest() == stem["sha256"]
    stems = service.sql("SELECT storage_key FROM mashup_stems WHERE mashup_id = %s", mashup)
    last = max(rows, key=lambda row: row["completed_at"])
    assert {stem["storage_key"] for stem in stems} == {
        stem["key"] for stem in last["output_data"]["stems"]
    }
    (counts,) = service.sql("SELECT count(*) AS registered FROM stems WHERE mashup_id = %s", mashup)
    assert counts["registered"] == 8


def test_users_read_and_change_only_their_own_jobs(service: Service, user: UUID) -> None:
    other = new_user(service)
    job = service.insert(user, "analyze", {"audio": "uploads/none"})
    assert not service.as_user(other, "SELECT * FROM ai_jobs WHERE id = %s", job)
    for statement in (
        "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES ('{user}', 'analyze', '{{}}')",
        "INSERT INTO ai_jobs (user_id, job_type, input_data, priority) "
        "VALUES ('{other}', 'analyze', '{{}}', 9)",
        "UPDATE ai_jobs SET status = 'completed' WHERE id = '{job}'",
        "UPDATE ai_jobs SET max_attempts = 99 WHERE id = '{job}'",
        "DELETE FROM ai_jobs WHERE id = '{job}'",
        "SELECT mashup_worker.publish_stems('{job}')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.as_user(other, statement.format(user=user, other=other, job=job))
    service.as_user(other, "UPDATE ai_jobs SET cancel_requested_at = now() WHERE id = %s", job)
    row = service.ended(user, job)
    assert (row["status"], row["error_code"]) == ("failed", "invalid_input")


def test_jobs_read_only_objects_of_their_user(
    service: Service, separated: list[tuple[UUID, dict[str, Any]]]
) -> None:
    other = new_user(service)
    mashup, row = separated[0]
    (stem,) = service.sql("SELECT id FROM stems WHERE job_id = %s AND kind = 'vocals'", row["id"])
    own = service.upload(other, "own.flac", 4.0)
    foreign = row["output_data"]["stems"][0]
    attempts = (
        ("analyze", {"audio": row["input_data"]["audio"]}, "object not found"),
        ("analyze", {"audio": foreign["key"]}, "object not found"),
        ("analyze", {"audio": foreign["url"]}, "object not found"),
        ("analyze", {"audio": "s3://elsewhere/song.flac"}, "must not read"),
        ("analyze", {"audio": "file:///etc/passwd"}, "unknown scheme"),
        ("analyze", {"audio": "http://127.0.0.1/song.flac"}, "scheme 'http' is not allowed"),
        ("separate", {"audio": own, "mashup_id": str(mashup)}, "mashup_id"),
        ("mashup", {"stems": [{"stem_id": str(stem["id"]), "kind": "vocals"}]}, "not found"),
        ("mashup", {"stems": [{"stem_id": str(uuid4()), "kind": "vocals"}]}, "not found"),
    )
    made = [service.insert(other, kind, document) for kind, document, _ in attempts]
    for job, (_, document, reason) in zip(made, attempts, strict=True):
        ended = service.ended(other, job)
        assert ended["status"] == "failed", document
        assert reason in ended["error_message"]
        assert ended["attempt"] == 1


def test_hostile_uploads_fail_without_killing_workers(
    service: Service, user: UUID, tmp_path: Path
) -> None:
    chosen = {"m3u8 as mp3", "ffconcat as wav", "html as wav", "nothing as mp3", "atoms as wav"}
    files = [
        *(one.path for one in impostors(tmp_path) if one.recipe in chosen),
        *(one.path for one in bombs(tmp_path)),
    ]
    jobs = []
    for path in files:
        key = f"uploads/{user}/hostile/{path.name}"
        service.s3().upload_file(str(path), service.facts["bucket"], key)
        jobs.append(service.insert(user, "analyze", {"audio": key}))
    good = service.upload(user, "after.flac", 9.5)
    jobs.append(service.insert(user, "analyze", {"audio": good}))
    *rows, last = (service.ended(user, job) for job in jobs)
    assert last["status"] == "completed", last["error_message"]
    refused = {"unsupported_audio", "invalid_input", "too_long", "too_large"}
    for path, row in zip(files, rows, strict=True):
        assert (row["status"], row["attempt"]) == ("failed", 1), path.name
        assert row["error_code"] in refused, path.name
        assert row["error_message"].startswith("input_data.audio"), row["error_message"]
        assert "\n" not in row["error_message"]
    assert len({row["worker_id"] for row in (*rows, last)}) <= 2, "a process died"


def test_commands(service: Service, user: UUID) -> None:
    song = service.folder / "song.flac"
    soundfile.write(song, excerpt(4.0), 44_100)
    key = uuid4().hex
    options = ("--user", str(user), "--idempotency-key", key)
    done = service.run("enqueue", "analyze", "--input", "song.flac", *options, "--wait", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    job = json.loads(done.stdout)
    assert job["status"] == "completed"
    assert job["input_data"]["audio"].startswith(f"inputs/{user}/")

    again = service.run("enqueue", "analyze", "--input", "song.flac", *options)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.count("\n") == 1
    assert key in again.stderr

    shown = service.run("jobs", "show", job["id"], "--json")
    assert json.loads(shown.stdout)["output_data"] == job["output_data"]
    listed = service.run("jobs", "list", "--user", str(user), "--limit", "1", "--json")
    assert json.loads(listed.stdout)["id"] == job["id"]
    refused = service.run("jobs", "cancel", job["id"])
    assert (refused.returncode, "already completed" in refused.stderr) == (1, True)
    retried = service.run("jobs", "retry", job["id"], "--json")
    assert json.loads(retried.stdout)["retry_of"] == job["id"]
    watched = service.run("jobs", "show", json.loads(retried.stdout)["id"], "--watch")
    assert "completed" in watched.stdout

    failed = service.run("enqueue", "analyze", "--input", '{"audio": "nothing"}', "--wait")
    assert failed.returncode == 1
    assert "nothing: object not found" in failed.stdout
    wrong = service.run("enqueue", "dance", "--input", "{}")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert service.run("migrate", "--check").returncode == 0
    assert json.loads(service.run("sweep", "--dry-run", "--json").stdout)["removed"] == []
    assert "input_data" in json.loads(service.run("schema", "master").stdout)
