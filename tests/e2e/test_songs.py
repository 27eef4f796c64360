"""A song from its upload to a mashup: frame indexes, a correction, and audio before mastering."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import soundfile

from mashup_worker.audio.frame_index import index_frames
from tests.e2e.service import new_user

if TYPE_CHECKING:
    from tests.e2e.service import Service

pytestmark = pytest.mark.slow

VERSIONS = (("audio", "audio", ""), ("unmastered", "unmastered", "unmastered/"))
"""Fields of a mashup's output, with the ends of the routes to their audio and to its index."""


def stored(service: Service, key: str) -> bytes:
    data: bytes = service.s3().get_object(Bucket=service.facts["bucket"], Key=key)["Body"].read()
    return data


def put(service: Service, user: UUID, path: str, document: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"{service.facts['api_url']}/api/{path}",
        json.dumps(document).encode(),
        {
            "Authorization": f"Bearer {service.facts['api_token']}",
            "Mashup-User": str(user),
            "Content-Type": "application/json",
        },
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def made(service: Service, user: UUID, path: str, document: dict[str, object]) -> UUID:
    job = UUID(service.api(user, path, document)["jobId"])
    row = service.ended(user, job)
    assert row["status"] == "completed", row
    return job


def test_a_corrected_song_becomes_a_mashup(service: Service) -> None:
    user = new_user(service)
    songs = []
    for name, start_s in (("one.flac", 8.0), ("two.flac", 16.0)):
        key = service.upload(user, name, start_s)
        songs.append(made(service, user, "audio/separate", {"audio": key}))
    song = service.api(user, f"songs/{songs[0]}")
    assert [one["id"] for one in service.api(user, "songs")["items"]] == [str(songs[1]), song["id"]]
    for stem in song["stems"]:
        (row,) = service.sql("SELECT storage_key FROM stems WHERE id = %s", stem["id"])
        content = stored(service, row["storage_key"])
        written = stored(service, row["storage_key"].replace(".flac", ".frames.json"))
        assert json.loads(written) == service.api(user, f"stems/{stem['id']}/frames")
        assert written == index_frames([content]).as_json()
    with zipfile.ZipFile(io.BytesIO(service.api(user, f"songs/{songs[0]}/stems.zip"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"one/{stem['kind']}.flac" for stem in song["stems"]]
        archived = {name.removeprefix("one/") for name in archive.namelist()}
    export = made(service, user, f"songs/{songs[0]}/exports", {"formats": ["m3u8"]})
    playlist = service.api(user, f"jobs/{export}/exports/m3u8").decode().splitlines()
    assert {line for line in playlist if not line.startswith("#")} == archived
    put(service, user, f"songs/{songs[0]}/correction", {"tempo_factor": 0.5, "key": "E minor"})
    corrected = service.api(user, f"songs/{songs[0]}")
    assert corrected["tempo_bpm"] == pytest.approx(song["tempo_bpm"] / 2)

    vocals, (drums, *_) = (
        song["stems"][0],
        (
            stem
            for stem in service.api(user, f"songs/{songs[1]}")["stems"]
            if stem["kind"] == "drums"
        ),
    )
    stems = [{"stem_id": one["id"], "kind": one["kind"]} for one in (vocals, drums)]
    mashup = made(
        service, user, "mashup/ai", {"stems": stems, "format": "flac", "config": {"length_s": 8}}
    )
    output = service.api(user, f"jobs/{mashup}")["output_data"]
    source = output["plan"]["sources"][f"{songs[0]}/vocals"]
    assert source["tempo_bpm"] == pytest.approx(corrected["tempo_bpm"], rel=0.02)
    for name, audio, beside in VERSIONS:
        content = service.api(user, f"jobs/{mashup}/{audio}")
        assert len(content) == output[name]["bytes"]
        index = service.api(user, f"jobs/{mashup}/{beside}frames")
        assert index["samples"] == soundfile.info(io.BytesIO(content)).frames
        peaks = service.api(user, f"jobs/{mashup}/{beside}peaks")
        assert 0 <= peaks["length"] * peaks["samples_per_pixel"] - index["samples"] < 256
