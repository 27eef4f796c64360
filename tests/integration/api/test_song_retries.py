"""Songs whose jobs were repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.db import jobs
from tests.integration.api.test_songs import call, separated

if TYPE_CHECKING:
    from uuid import UUID

    from tests.integration.api.world import World


def failed(world: World) -> UUID:
    """A separation of Alice that failed."""
    job = jobs.insert(world.owner, "separate", {"audio": "public/a.mp3"}, user_id=world.alice).id
    reason = {"code": "unsupported_audio", "message": "song.mp3: no decoder"}
    assert jobs.change_status(world.owner, "reject", id=job, **reason)
    return job


def listed(world: World) -> set[str]:
    return {one["id"] for one in call(world, "GET", "songs").json()["items"]}


def test_a_failed_song_gives_way_to_its_repetition(world: World) -> None:
    world.subscribe(world.alice, "pro")
    first, other = failed(world), failed(world)
    assert listed(world) == {str(first), str(other)}
    again = call(world, "POST", f"jobs/{first}/retry").json()["jobId"]
    assert listed(world) == {again, str(other)}
    assert call(world, "GET", f"songs/{first}").json()["status"] == "failed"


def test_a_completed_song_stays_when_its_job_is_repeated(world: World) -> None:
    world.subscribe(world.alice, "pro")
    done = separated(world, audio="public/night.mp3")
    again = call(world, "POST", f"jobs/{done}/retry").json()["jobId"]
    assert listed(world) == {str(done), again}
