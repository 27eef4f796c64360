"""Saved mashups, their audio, and the shares of creators."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from mashup_worker.db import jobs
from tests.integration.api.rows import add_mashup, add_stem, finish_job, finish_mashup

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

    from tests.integration.api.world import World


def save(world: World, user: UUID | None, job: UUID, title: str = "Night", **more: Any) -> Response:
    headers = world.as_service() if user is None else world.as_user(user)
    document = {"job_id": str(job), "title": title, **more}
    body = json.dumps(document)  # `json=` of the client refuses lone surrogates
    headers = {**headers, "Content-Type": "application/json"}
    return world.client.post("/api/mashups", headers=headers, content=body)


def shares_of(world: World, mashup: UUID, user: UUID | None = None, **parameters: Any) -> Any:
    headers = world.as_user(user or world.alice)
    answer = world.client.get(f"/api/mashups/{mashup}/credits", headers=headers, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_finished_job_is_saved_once_and_credited(world: World) -> None:
    own, others = add_stem(world, world.alice), add_stem(world, world.bob, is_public=True)
    job = finish_mashup(world, world.alice, own, others, None)
    first = save(world, world.alice, job, " Night 👩‍🎤 ", is_public=True)
    assert first.status_code == 201
    document = first.json()
    path = f"/api/mashups/{document['id']}"
    assert document == {
        "id": document["id"],
        "user_id": str(world.alice),
        "title": "Night 👩‍🎤",
        "is_public": True,
        "created_at": document["created_at"],
        "job_id": str(job),
        "duration_s": 181.2,
        "loudness_lufs": -9,
        "audio_url": f"http://testserver{path}/audio",
        "peaks_url": f"http://testserver{path}/peaks",
    }
    again = save(world, world.alice, job, "Another", is_public=False)
    assert (again.status_code, again.json()) == (200, document)
    assert world.client.get(path, headers=world.as_user(world.bob)).json() == document
    links = world.rows("SELECT stem_id FROM stem_mashup_links WHERE mashup_id = %s", document["id"])
    assert {row["stem_id"] for row in links} == {own, others}
    assert len(world.rows("SELECT FROM stem_usage_log")) == 2
    assert len(world.rows("SELECT FROM mashups")) == 1


def test_requests_at_once_save_one_mashup(world: World) -> None:
    job = finish_mashup(world, world.alice, add_stem(world, world.alice))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: save(world, world.alice, job), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(world.rows("SELECT FROM mashups")) == 1


def test_a_job_that_names_a_mashup_is_saved_as_that_mashup(world: World) -> None:
    mashup = add_mashup(world, world.alice, "Draft")
    job = finish_mashup(world, world.alice, add_stem(world, world.alice), mashup_id=str(mashup))
    found = world.client.get(f"/api/mashups/{mashup}", headers=world.as_user(world.alice)).json()
    assert (found["title"], found["job_id"]) == ("Draft", str(job))
    saved = save(world, world.alice, job, "Final", is_public=True)
    assert saved.status_code == 201
    assert saved.json() == found | {"title": "Final", "is_public": True}
    # A mashup of another user is not taken over.
    foreign = add_mashup(world, world.bob, "Bob's")
    job = finish_mashup(world, world.alice, mashup_id=str(foreign))
    assert save(world, world.alice, job).json()["id"] != str(foreign)
    (row,) = world.rows("SELECT title FROM mashups WHERE id = %s", foreign)
    assert row["title"] == "Bob's"


def test_a_deleted_mashup_can_be_saved_again(world: World) -> None:
    job = finish_mashup(world, world.alice, add_stem(world, world.alice))
    first = save(world, world.alice, job).json()["id"]
    world.owner.execute("DELETE FROM mashups")
    second = save(world, world.alice, job)
    assert (second.status_code, second.json()["id"] == first) == (201, False)


def test_only_finished_mashup_jobs_of_the_caller_are_saved(world: World) -> None:
    job = finish_mashup(world, world.alice)
    missing = uuid4()
    other, absent = save(world, world.bob, job), save(world, world.bob, missing)
    assert other.status_code == absent.status_code == 404
    assert other.text == absent.text.replace(str(missing), str(job))
    waiting = jobs.insert(world.owner, "mashup", {"stems": []}, user_id=world.alice)
    assert save(world, world.alice, waiting.id).status_code == 409
    analysis = finish_job(world, world.alice, "analyze", {"analysis": {}})
    assert save(world, world.alice, analysis).status_code == 422
    for title in ("", "  ", "x" * 201, "a\nb", "a\0b", "a\ud800"):
        assert save(world, world.alice, job, title).status_code == 422, title
    reader = world.client.post(
        "/api/mashups",
        headers=world.as_service("read", user=world.alice),
        json={"job_id": str(job), "title": "x"},
    )
    assert reader.status_code == 403
    assert world.rows("SELECT FROM mashups") == []


def test_the_service_saves_jobs_for_their_users(world: World) -> None:
    for user in (world.alice, None):
        stem = add_stem(world, world.bob)
        saved = save(world, None, finish_mashup(world, user, stem)).json()
        assert saved["user_id"] == (user and str(user))
        (row,) = world.rows(
            "SELECT stem_id FROM stem_mashup_links WHERE mashup_id = %s", saved["id"]
        )
        assert row["stem_id"] == stem


def test_mashups_are_listed_in_pages(world: World) -> None:
    own = [add_mashup(world, world.alice, f"Own {number}") for number in range(5)]
    public = add_mashup(world, world.bob, "Public", is_public=True)
    add_mashup(world, world.bob, "Private")

    def listed(**parameters: Any) -> list[str]:
        ids, cursor = [], None
        while True:
            query = {**parameters, **({"cursor": cursor} if cursor else {})}
            page = world.client.get(
                "/api/mashups", headers=world.as_user(world.alice), params=query
            ).json()
            ids += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return ids

    newest_first = [str(one) for one in (public, *reversed(own))]
    assert listed() == listed(limit=2) == newest_first
    assert listed(mine=True, limit=5) == newest_first[1:]
    assert listed(public=True) == newest_first[:1]


def test_mashups_of_others_are_not_there(world: World, tmp_path: Path) -> None:
    job = finish_mashup(world, world.alice, add_stem(world, world.alice))
    mashup = save(world, world.alice, job).json()["id"]
    (row,) = world.rows("SELECT output_data -> 'audio' AS audio FROM ai_jobs WHERE id = %s", job)
    for name in ("key", "peaks_key"):
        file = tmp_path / name
        file.write_bytes(b'{"is": "here"}')
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        world.context.storage.put(row["audio"][name], file, content_type="x/y", sha256=digest)
    missing = str(uuid4())
    paths = ("", "/audio", "/peaks", "/credits", "/credits?amount=5")
    for path in paths:
        url = f"/api/mashups/{mashup}{path}"
        assert world.client.get(url, headers=world.as_user(world.alice)).status_code == 200
        other = world.client.get(url, headers=world.as_user(world.bob))
        absent = world.client.get(url.replace(mashup, missing), headers=world.as_user(world.bob))
        assert other.status_code == absent.status_code == 404
        assert other.text == absent.text.replace(missing, mashup)
    world.owner.execute("UPDATE mashups SET is_public = true")
    headers = {**world.as_user(world.bob), "Range": "bytes=2-3"}
    part = world.client.get(f"/api/mashups/{mashup}/audio", headers=headers)
    assert (part.status_code, part.content) == (206, b"is")
    peaks = world.client.get(f"/api/mashups/{mashup}/peaks", headers=world.as_user(world.bob))
    assert peaks.json() == {"is": "here"}


def test_a_mashup_without_a_result_has_no_audio(world: World) -> None:
    mashup = add_mashup(world, world.alice)
    headers = world.as_user(world.alice)
    document = world.client.get(f"/api/mashups/{mashup}", headers=headers).json()
    assert document["audio_url"] is document["job_id"] is None
    assert world.client.get(f"/api/mashups/{mashup}/audio", headers=headers).status_code == 404


def test_creators_share_by_their_stems_whoever_asks(world: World) -> None:
    """Bob's private stems count too, of which Alice sees no row."""
    stems = [add_stem(world, world.bob) for _ in range(2)]
    stems += [add_stem(world, world.alice), *(add_stem(world, None) for _ in range(4))]
    mashup = save(world, None, finish_mashup(world, None, *stems), is_public=True).json()["id"]
    expected = {
        "mashup_id": mashup,
        "amount": 100,
        "credits": [
            {"user_id": None, "stems": 4, "share": 5714, "amount": 57},
            {"user_id": str(world.bob), "stems": 2, "share": 2857, "amount": 29},
            {"user_id": str(world.alice), "stems": 1, "share": 1429, "amount": 14},
        ],
    }
    for user in (world.alice, world.bob):
        assert shares_of(world, mashup, user, amount=100) == expected
    assert all(one["amount"] is None for one in shares_of(world, mashup)["credits"])
    for amount in (-1, 2**53, "x"):
        url = f"/api/mashups/{mashup}/credits?amount={amount}"
        assert world.client.get(url, headers=world.as_user(world.bob)).status_code == 422


def test_stems_that_were_taken_down_have_no_share(world: World) -> None:
    song = add_mashup(world, world.bob)
    output = {"stems": [{"kind": "vocals", "key": "jobs/b/1/vocals.flac"}]}
    separation = finish_job(world, world.bob, "separate", output, mashup_id=str(song))
    (row,) = world.rows("SELECT id FROM stems WHERE job_id = %s", separation)
    own = add_stem(world, world.alice)
    job = finish_mashup(world, world.alice, own, row["id"], source_jobs=(separation,))
    mashup = save(world, world.alice, job).json()["id"]
    assert [one["share"] for one in shares_of(world, mashup)["credits"]] == [5_000, 5_000]

    world.owner.execute("SELECT mashup_worker.purge_jobs(%s)", [[separation, job]])
    assert shares_of(world, mashup, amount=7)["credits"] == [
        {"user_id": str(world.alice), "stems": 1, "share": 10_000, "amount": 7}
    ]
    document = world.client.get(f"/api/mashups/{mashup}", headers=world.as_user(world.alice))
    assert document.json()["audio_url"] is None
    assert world.rows("SELECT FROM mashup_worker.saved_mashups") == []
    world.owner.execute("DELETE FROM stem_mashup_links")
    assert shares_of(world, mashup, amount=7)["credits"] == [
        {"user_id": None, "stems": 0, "share": 10_000, "amount": 7}
    ]
