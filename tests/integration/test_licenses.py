"""Models of finished jobs and the licenses of their weights, in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from mashup_worker.db.publishing import model_of_stem
from mashup_worker.licenses import DEMUCS_LICENSE, SPLEETER_LICENSE, License
from tests.integration.api.rows import finished_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.db.database import Connection


@pytest.fixture
def owner(migrated_url: str) -> Iterator[Connection]:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def new_user(owner: Connection) -> UUID:
    (row,) = owner.execute("INSERT INTO profiles DEFAULT VALUES RETURNING id").fetchall()
    return UUID(str(row["id"]))


def separation(owner: Connection, user: UUID, model: str, terms: License | None) -> UUID:
    key = f"jobs/{uuid4()}/1/vocals.flac"
    license_ = {} if terms is None else {"license": terms.as_dict()}
    output = {
        "stems": [{"kind": "vocals", "key": key, "peaks_key": f"{key}.json"}],
        "analysis": None,
        "model": {"name": model, "device": "cpu", "precision": "fp32", **license_},
    }
    return finished_job(owner, user, "separate", output, audio="a")


def models(owner: Connection, job: UUID) -> list[tuple[str, str, str]]:
    rows = owner.execute(
        "SELECT model, license, license_class FROM mashup_worker.job_models WHERE job_id = %s"
        " ORDER BY model",
        [job],
    ).fetchall()
    return [(row["model"], row["license"], row["license_class"]) for row in rows]


def stem_of(owner: Connection, job: UUID) -> UUID:
    (row,) = owner.execute("SELECT id FROM stems WHERE job_id = %s", [job]).fetchall()
    return UUID(str(row["id"]))


def test_a_finished_job_keeps_model_and_license(owner: Connection) -> None:
    user = new_user(owner)
    job = separation(owner, user, "htdemucs", DEMUCS_LICENSE)
    assert models(owner, job) == [("htdemucs", "scientific-only", "restricted")]
    assert model_of_stem(owner, stem_of(owner, job)) == {
        "name": "htdemucs",
        "license": "scientific-only",
        "license_class": "restricted",
    }
    assert model_of_stem(owner, uuid4()) is None
    owner.execute("DELETE FROM ai_jobs WHERE id = %s", [job])
    assert models(owner, job) == []


def test_results_of_older_releases_count_as_not_stated(owner: Connection) -> None:
    job = separation(owner, new_user(owner), "htdemucs", None)
    assert models(owner, job) == [("htdemucs", "not-stated", "unknown")]


def test_a_mashup_keeps_the_models_of_all_its_stems(owner: Connection) -> None:
    user = new_user(owner)
    used: list[dict[str, Any]] = [
        {"kind": "vocals", "model": model_of_stem(owner, stem_of(owner, job))}
        for job in (
            separation(owner, user, "htdemucs", DEMUCS_LICENSE),
            separation(owner, user, "lite", SPLEETER_LICENSE),
            separation(owner, user, "lite", SPLEETER_LICENSE),
        )
    ]
    used.append({"kind": "mix", "model": None})
    whole = {"name": "mine", "license": {"id": "Contract 14", "license_class": "unknown"}}
    job = finished_job(owner, user, "mashup", {"stems_used": used, "model": whole})
    assert models(owner, job) == [
        ("htdemucs", "scientific-only", "restricted"),
        ("lite", "MIT", "permissive"),
        ("mine", "Contract 14", "unknown"),
    ]


@pytest.mark.parametrize("output", [{}, {"stems_used": 3}, {"model": "x"}, {"model": None}])
def test_outputs_without_a_model_keep_none(owner: Connection, output: dict[str, Any]) -> None:
    assert models(owner, finished_job(owner, new_user(owner), "mashup", output)) == []


def test_users_see_the_licenses_of_the_stems_that_they_see(owner: Connection) -> None:
    alice, bob = new_user(owner), new_user(owner)
    private = separation(owner, alice, "htdemucs", DEMUCS_LICENSE)
    public = separation(owner, alice, "lite", SPLEETER_LICENSE)
    owner.execute("UPDATE stems SET is_public = true WHERE job_id = %s", [public])
    for user, expected in ((alice, {private, public}), (bob, {public})):
        with owner.transaction():
            claims = json.dumps({"sub": str(user), "role": "authenticated"})
            owner.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            owner.execute("SET LOCAL ROLE authenticated")
            rows = owner.execute("SELECT job_id FROM mashup_worker.job_models").fetchall()
            assert {row["job_id"] for row in rows} == expected
            with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
                owner.execute("UPDATE mashup_worker.job_models SET license = 'MIT'")
