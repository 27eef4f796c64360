"""Models that jobs name in a running service: licenses that are allowed, and added weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.service import Service, new_user
from tests.msst import save_pair

if TYPE_CHECKING:
    from uuid import UUID


@pytest.fixture(scope="module")
def user(service: Service) -> UUID:
    return new_user(service)


def test_a_model_that_is_not_allowed_fails_at_the_first_attempt(
    service: Service, user: UUID
) -> None:
    audio = service.upload(user, "science.flac", 1.0)
    document = {"audio": audio, "model": "htdemucs"}
    row = service.ended(user, service.insert(user, "separate", document))
    assert (row["status"], row["error_code"]) == ("failed", "model_not_allowed")
    assert (row["attempt"], row["failures"]) == (1, 1)
    assert row["error_message"] == (
        "htdemucs: its license is scientific-only (restricted), and allowed is only permissive; "
        "use lite"
    )
    refused = service.run("enqueue", "separate", "--input", json.dumps(document))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("mashup: htdemucs: its license is scientific-only")
    assert refused.stderr.count("\n") == 1


def test_a_job_names_a_model_that_was_added(service: Service, user: UUID, tmp_path: Path) -> None:
    def add(seed: int, license_id: str) -> None:
        checkpoint, config = save_pair(tmp_path, "tiny", "scnet", seed)
        named = ("--config", str(config), "--name", "own", "--license", license_id)
        service.run("models", "remove", "own")  # the one before, if there is one
        assert service.run("models", "add", str(checkpoint), *named).returncode == 0

    def separated() -> dict[str, Any]:
        return service.ended(user, service.insert(user, "separate", document))

    document = {"audio": service.upload(user, "own.flac", 1.0), "model": "own", "analyze": False}
    made = []
    for seed in (0, 1):
        add(seed, "Apache-2.0")
        manifest = Path(service.environment["MASHUP_MODEL_CACHE"], "own", "SHA256SUMS")
        row = separated()
        assert (row["status"], row["error_message"]) == ("completed", None)
        model = row["output_data"]["model"]
        assert (model["name"], model["license"]["id"]) == ("own", "Apache-2.0")
        assert model["license"]["license_class"] == "permissive"
        assert row["output_data"]["reused_job_id"] is None  # other weights have other stems
        made.append((model["weights_sha256"], manifest.read_text()))
    assert len({digest for digest, _ in made}) == len({text for _, text in made}) == 2
    assert separated()["output_data"]["reused_job_id"] == str(row["id"])

    add(2, "CC-BY-NC-4.0")
    refused = separated()
    assert (refused["status"], refused["error_code"]) == ("failed", "model_not_allowed")
    assert refused["attempt"] == 1
    assert refused["error_message"].startswith("own: its license is CC-BY-NC-4.0 (restricted), and")
