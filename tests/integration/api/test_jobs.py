"""Lists, states, cancellation and repetition of jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from mashup_worker.api.documents import JobDocument
from mashup_worker.db import jobs

if TYPE_CHECKING:
    from httpx2 import Response

    from tests.integration.api.world import World


def get(world: World, path: str, **query: str | int) -> Response:
    headers = world.as_user(world.alice)
    return world.client.get(f"/api/{path}", params=query, headers=headers)


def post(world: World, path: str, *, key: str | None = None) -> Response:
    headers = world.as_user(world.alice)
    if key is not None:
        headers["Idempotency-Key"] = key
    return world.client.post(f"/api/{path}", headers=headers)


def inserted(world: World, job_type: str = "separate", user: UUID | None = None) -> jobs.Job:
    return jobs.insert(
        world.owner, job_type, {"audio": "public/a.mp3"}, user_id=user or world.alice
    )


def test_the_list_has_each_own_job_once_the_newest_first(world: World) -> None:
    made = [inserted(world, ("separate", "analyze")[n % 2]).id for n in range(7)]
    inserted(world, user=world.bob)
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    for number, job_id in enumerate(made):
        # Three share their time.
        created_at = moment + timedelta(seconds=max(number, 3))
        world.owner.execute(
            "UPDATE ai_jobs SET created_at = %s WHERE id = %s", [created_at, job_id]
        )
    newest = [*reversed(made[4:]), *sorted(made[:4], reverse=True)]

    def all_pages(**query: str | int) -> list[str]:
        page = get(world, "jobs", **query).json()
        found = [item["id"] for item in page["items"]]
        while page["next"] is not None:
            assert len(page["items"]) == query["limit"]
            page = get(world, "jobs", **query, cursor=page["next"]).json()
            found += [item["id"] for item in page["items"]]
        return found

    assert all_pages() == [str(one) for one in newest]
    for limit in (1, 3, 7):
        assert all_pages(limit=limit) == [str(one) for one in newest]
    assert all_pages(limit=1, job_type="analyze") == [
        str(one) for one in newest if made.index(one) % 2
    ]
    world.claim(made[0])
    assert all_pages(status="processing") == [str(made[0])]
    assert all_pages(status="failed") == []
    item = get(world, "jobs", limit=1).json()["items"][0]
    assert not {"input_data", "output_data"} & item.keys()
    for query in ({"cursor": "WzFd"}, {"cursor": "é"}, {"status": "done"}, {"limit": 0}):
        assert get(world, "jobs", **query).status_code == 422
    everything = world.client.get("/api/jobs", headers=world.as_service()).json()
    assert len(everything["items"]) == 8


def test_a_job_shows_its_result(world: World) -> None:
    job = inserted(world, "mashup")
    world.complete(job.id, {"warnings": []})
    for path in (f"jobs/{job.id}", f"mashup/ai/{job.id}"):
        shown = get(world, path).json()
        assert (shown["status"], shown["progress"], shown["attempt"]) == ("completed", 100, 1)
        assert shown["input_data"] == {"audio": "public/a.mp3"}
        assert shown["output_data"] == {"warnings": []}
    assert get(world, f"mashup/ai/{inserted(world).id}").status_code == 404


def test_odd_rows_of_backends_are_shown(world: World) -> None:
    documents: list[Any] = [[], "text", None, {'"\\é\u2028': {"large": 10**40}, "tiny": 1e-40}]
    for document in documents:
        (row,) = world.rows(
            "INSERT INTO ai_jobs (user_id, job_type, input_data, progress)"
            " VALUES (%s, 'brew', %s, NULL) RETURNING id",
            world.alice,
            Jsonb(document),
        )
        shown = get(world, f"jobs/{row['id']}")
        assert shown.status_code == 200
        assert (shown.json()["job_type"], shown.json()["progress"]) == ("brew", 0)
        assert shown.json()["input_data"] == (document if isinstance(document, dict) else {})
        assert post(world, f"jobs/{row['id']}/retry").status_code == 409
    assert len(get(world, "jobs").json()["items"]) == 4


def test_each_state_is_shown_as_other_answers_show_it(world: World) -> None:
    job = inserted(world, "mashup")
    repeated = jobs.insert(
        world.owner, "mashup", {"note": "\u2028"}, user_id=world.alice, retry_of=job.id
    )

    def check(job_id: UUID) -> None:
        stored = jobs.find(world.owner, job_id)
        assert stored is not None
        wanted = JobDocument.of(stored).model_dump(mode="json")
        assert list(get(world, f"jobs/{job_id}").json().items()) == list(wanted.items())

    check(job.id)
    check(repeated.id)
    claim = world.claim(repeated.id)
    jobs.heartbeat(world.owner, claim, lease_s=60, progress=7, stage='"é')
    check(repeated.id)
    world.complete(job.id, {"warnings": ['"\\', "é"], "seconds": 0.1})
    check(job.id)


def test_open_jobs_are_canceled(world: World) -> None:
    waiting, running = inserted(world), inserted(world)
    world.claim(running.id)
    for job in (waiting, running):
        for _ in range(2):
            answer = post(world, f"jobs/{job.id}/cancel")
            assert answer.status_code == 202
            assert answer.json()["cancel_requested_at"] is not None
    assert jobs.change_status(world.owner, "cancel_waiting", id=waiting.id) is not None
    ended = post(world, f"jobs/{waiting.id}/cancel")
    assert (ended.status_code, ended.json()["code"]) == (409, "conflict")
    assert ended.json()["detail"] == f"job {waiting.id}: already canceled"


def test_ended_jobs_are_repeated(world: World) -> None:
    world.subscribe(world.alice, "pro")
    job = inserted(world)
    still_open = post(world, f"jobs/{job.id}/retry")
    assert (still_open.status_code, still_open.json()["code"]) == (409, "conflict")
    world.complete(job.id, {})
    answers = [post(world, f"jobs/{job.id}/retry", key="k") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    (new,) = {answer.json()["jobId"] for answer in answers}
    assert answers[0].headers["Location"].endswith(f"/api/jobs/{new}")
    shown: dict[str, Any] = get(world, f"jobs/{new}").json()
    assert (shown["status"], shown["retry_of"]) == ("queued", str(job.id))
    assert (shown["job_type"], shown["input_data"]) == (job.job_type, job.input_data)
    assert shown["user_id"] == str(world.alice)
    assert post(world, f"jobs/{job.id}/retry").json()["jobId"] != new
    by_service = world.client.post(f"/api/jobs/{job.id}/retry", headers=world.as_service())
    copy = get(world, f"jobs/{by_service.json()['jobId']}")
    assert copy.json()["user_id"] == str(world.alice)


def test_a_repetition_counts_towards_the_limit(world: World) -> None:
    job = inserted(world)
    world.complete(job.id, {})
    assert post(world, f"jobs/{job.id}/retry").status_code == 402


def test_jobs_of_other_users_are_not_there(world: World) -> None:
    job, unknown = inserted(world, "mashup", world.bob).id, uuid4()
    for send, path in (
        (get, "jobs/{}"),
        (get, "mashup/ai/{}"),
        (get, "jobs/{}/events"),
        (post, "jobs/{}/cancel"),
        (post, "jobs/{}/retry"),
    ):
        theirs, missing = (send(world, path.format(one)) for one in (job, unknown))
        assert theirs.status_code == missing.status_code == 404, path
        assert theirs.text.replace(str(job), "") == missing.text.replace(str(unknown), "")
    (row,) = world.rows("SELECT cancel_requested_at FROM ai_jobs")
    assert row["cancel_requested_at"] is None
