"""Search of stems, their provenance, audio and waveforms."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.mixing.keys import camelot_distance
from mashup_worker.mixing.scores import (
    UNKNOWN_SCORE,
    fit_tempo,
    key_score,
    tempo_score,
    total_score,
)
from mashup_worker.mixing.stretch_limit import MAX_STRETCH
from tests.integration.api.rows import add_mashup, add_stem, finish_job, finish_mashup

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

    from tests.integration.api.world import World


def search(world: World, user: UUID | None = None, **parameters: Any) -> Response:
    headers = world.as_user(user or world.alice)
    return world.client.get("/api/stems", headers=headers, params=parameters)


def found(world: World, user: UUID | None = None, **parameters: Any) -> list[UUID]:
    """Return the ids of one page."""
    answer = search(world, user, **parameters)
    assert answer.status_code == 200, answer.text
    return [UUID(item["id"]) for item in answer.json()["items"]]


def all_pages(world: World, **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = search(world, **parameters, **({"cursor": cursor} if cursor else {})).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
        assert len(page["items"]) == parameters["limit"]


def test_a_user_finds_own_and_public_stems(world: World) -> None:
    own = add_stem(world, world.alice)
    public = add_stem(world, world.bob, is_public=True)
    private = add_stem(world, world.bob)
    nobodys = add_stem(world, None, is_public=True)
    assert set(found(world)) == {own, public, nobodys}
    assert set(found(world, public=True)) == {public, nobodys}
    assert found(world, mine=True) == [own]
    assert set(found(world, world.bob)) == {public, private, nobodys}
    service = world.client.get("/api/stems", headers=world.as_service()).json()
    assert {UUID(item["id"]) for item in service["items"]} == {own, public, private, nobodys}
    refused = world.client.get("/api/stems?mine=true", headers=world.as_service())
    assert refused.status_code == 422


def test_filters_combine(world: World) -> None:
    one = add_stem(world, world.alice, kind="no_vocals", tempo_bpm=120, musical_key="A minor")
    two = add_stem(world, world.alice, kind="drums", tempo_bpm=124.5, musical_key="E minor")
    bare = add_stem(world, world.alice, kind="bass")
    assert found(world, kind="instrumental") == found(world, kind="no_vocals") == [one]
    assert found(world, tempo_min=120, tempo_max=124) == [one]
    assert found(world, tempo_min=120.5) == [two]
    assert found(world, key="Am") == found(world, camelot="8a") == found(world, key="8A") == [one]
    assert found(world, camelot="8A", neighbors=True) == [two, one]
    assert found(world, camelot="8A", neighbors=True, kind="drums") == [two]
    assert found(world) == [bare, two, one]


def test_camelot_neighbors_are_found(world: World) -> None:
    ids = {key: add_stem(world, world.alice, musical_key=key) for key in KEYS}
    for code in ("8A", "1B", "12A"):
        number, letter = int(code[:-1]), code[-1]
        codes = {
            code,
            f"{number % 12 + 1}{letter}",
            f"{(number - 2) % 12 + 1}{letter}",
            f"{number}{'B' if letter == 'A' else 'A'}",
        }
        expected = {ids[key] for key in KEYS if camelot(key) in codes}
        assert len(expected) == 4
        assert set(found(world, camelot=code, neighbors=True)) == expected


INVALID: tuple[dict[str, Any], ...] = (
    {"kind": "kazoo"},
    {"key": "H"},
    {"camelot": "13A"},
    {"camelot": "8A", "key": "Am"},
    {"neighbors": True},
    {"tempo_min": 130, "tempo_max": 120},
    {"tempo_min": "nan"},
    {"limit": 0},
    {"limit": 101},
    {"cursor": "x"},
    {"compatible_with": "x"},
    {"text": ""},
    {"text": "a\0b"},
    {"genre": "house"},
)


def test_invalid_parameters_are_named(world: World) -> None:
    for parameters in INVALID:
        answer = search(world, **parameters)
        assert answer.status_code == 422, parameters
        assert next(iter(parameters)) in answer.json()["detail"]


def test_text_finds_titles_and_file_names(world: World) -> None:
    night = add_mashup(world, world.alice, "When the Night Falls (Live)")
    stems = [{"kind": "vocals", "key": "jobs/a/1/vocals.flac"}]
    address = "https://files.test/Hold_On-To.The Light.mp3?signature=night"
    job = finish_job(world, world.alice, "separate", {"stems": stems}, audio=address,
                     mashup_id=str(night))  # fmt: skip
    (row,) = world.rows("SELECT id FROM stems WHERE job_id = %s", job)
    titled = row["id"]
    for text in ("night", "NIGHT fall", "falls, the", "(live", "hold on", "light mp3", "to.the"):
        assert found(world, text=text) == [titled], text
    for text in ("day", "night day", "ight", "signature", "files", "!?", "':* & |", "\\"):
        assert found(world, text=text) == [], text

    hidden = add_mashup(world, world.bob, "Night of Bob")
    shown = add_mashup(world, world.bob, "Night of all", is_public=True)
    of_hidden = add_stem(world, world.bob, mashup_id=hidden, is_public=True)
    of_shown = add_stem(world, world.bob, mashup_id=shown, is_public=True)
    add_stem(world, world.bob, mashup_id=shown)
    assert found(world, text="night") == [of_shown, titled]
    assert found(world, text="night", mine=True) == [titled]
    assert set(found(world, world.bob, text="bob")) == {of_hidden}
    # The file name of a song is its user's.
    world.rows("UPDATE stems SET is_public = true WHERE id = %s RETURNING id", titled)
    assert found(world, world.bob, text="hold") == []
    service = world.client.get("/api/stems?text=hold", headers=world.as_service()).json()
    assert [item["id"] for item in service["items"]] == [str(titled)]
    items = search(world, text="night").json()["items"]
    assert [item["title"] for item in items] == ["Night of all", "When the Night Falls (Live)"]
    title = {item["id"]: item["title"] for item in search(world).json()["items"]}
    assert title[str(of_hidden)] is None


@pytest.mark.parametrize("sort", ["newest", "compatible"])
def test_pages_are_stable_under_inserts(world: World, sort: str) -> None:
    reference = add_stem(world, world.alice, tempo_bpm=120, musical_key="A minor")
    dice = random.Random(1)
    for _ in range(30):  # many equal times and scores
        add_stem(
            world,
            world.alice,
            tempo_bpm=dice.choice([118, 120]),
            created_at=f"2026-05-0{dice.choice([1, 2])}",
        )
    by_score = {"compatible_with": reference} if sort == "compatible" else {}
    before = [item["id"] for item in all_pages(world, limit=100, **by_score)]
    seen = list[str]()
    cursor = None
    while True:
        page = search(world, limit=4, **by_score, **({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        # A newer or better one that belongs to an earlier page.
        add_stem(world, world.alice, tempo_bpm=120, musical_key="A minor")
    assert seen == before
    assert len(set(seen)) == len(seen)


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    reference = add_stem(world, world.alice, tempo_bpm=120)
    for _ in range(3):
        add_stem(world, world.alice, tempo_bpm=120)
    by_time = search(world, limit=1).json()["next"]
    by_score = search(world, limit=1, compatible_with=reference).json()["next"]
    assert search(world, cursor=by_score).status_code == 422
    assert search(world, cursor=by_time, compatible_with=reference).status_code == 422


def test_compatible_stems_have_the_scores_of_mixing(world: World) -> None:
    """SQL scores; the reference is the arithmetic that plans mashups."""
    dice = random.Random(7)
    songs: dict[str, tuple[float | None, str | None]] = {}
    for _ in range(150):
        tempo = dice.choice([None, 0.0, 100.0, 100 / 1.2, 125.0, round(dice.uniform(30, 300), 2)])
        key = dice.choice([None, "H major", *KEYS])
        songs[str(add_stem(world, world.alice, tempo_bpm=tempo, musical_key=key))] = (tempo, key)
    reference = str(add_stem(world, world.alice, tempo_bpm=100, musical_key="A minor"))

    def expected(tempo: float | None, key: str | None) -> float | None:
        parts = {"tempo": UNKNOWN_SCORE, "key": UNKNOWN_SCORE}
        if tempo == 0:
            return None
        if tempo is not None:
            change = fit_tempo(tempo, 100).change
            if abs(change) > MAX_STRETCH + 1e-9:
                return None
            parts["tempo"] = tempo_score(change)
        if key in KEYS:
            parts["key"] = key_score("A minor", key)
        return round(total_score(parts), 4)

    scores = {id_: expected(*song) for id_, song in songs.items()}
    items = all_pages(world, limit=40, compatible_with=reference)
    given = {item["id"]: item["compatibility"] for item in items}
    assert given.keys() == {id_ for id_, score in scores.items() if score is not None}
    assert reference not in given
    ordered = [one["score"] for one in given.values()]
    assert ordered == sorted(ordered, reverse=True)
    for id_, one in given.items():
        tempo, key = songs[id_]
        assert one["score"] == pytest.approx(scores[id_], abs=1.01e-4)
        if tempo:
            fit = fit_tempo(tempo, 100)
            assert one["tempo"]["factor"] == fit.factor
            assert one["tempo"]["speed_change"] == round(fit.change, 4)
        else:
            assert one["tempo"] == {"score": 0.5, "speed_change": None, "factor": None}
        wheel = camelot_distance("A minor", key) if key in KEYS else None
        assert one["key"]["camelot_distance"] == wheel
    assert {fit_tempo(tempo, 100).factor for tempo, _ in songs.values() if tempo} == {0.5, 1, 2}


def test_stems_are_compared_with_songs(world: World) -> None:
    song = add_mashup(world, world.alice)
    job = finish_job(world, world.alice, "separate", {"stems": []}, audio="a")
    same = {"mashup_id": song, "job_id": job, "tempo_bpm": 120, "musical_key": "A minor"}
    first, second = (add_stem(world, world.alice, kind=kind, **same) for kind in ("vocals", "bass"))
    near = add_stem(world, world.alice, tempo_bpm=61, musical_key="C major")
    best = add_stem(world, world.alice, tempo_bpm=240, musical_key="A minor", kind="drums")
    far = add_stem(world, world.alice, tempo_bpm=90, musical_key="A minor")
    for reference in (first, second, song, job):
        assert found(world, compatible_with=reference) == [best, near]
    assert found(world, compatible_with=song, kind="drums") == [best]
    assert far not in found(world, compatible_with=song)
    analysis = {"tempo_bpm": 90.0, "key": "A minor"}
    analyzed = finish_job(world, world.alice, "analyze", {"analysis": analysis}, audio="a")
    assert found(world, compatible_with=analyzed)[0] == far


def test_references_of_others_and_unknown_ones_are_refused(world: World) -> None:
    mashup = add_mashup(world, world.bob)
    job = finish_job(world, world.bob, "analyze", {"analysis": {"tempo_bpm": 90.0}}, audio="a")
    stem = add_stem(world, world.bob, mashup_id=mashup, job_id=job, tempo_bpm=100)
    for reference in (stem, mashup, job, uuid4()):
        answer = search(world, compatible_with=reference)
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"stem or song {reference}: not found"
        if reference in (stem, mashup, job):
            assert search(world, world.bob, compatible_with=reference).status_code == 200
    bare = add_stem(world, world.alice)
    assert "analyze it first" in search(world, compatible_with=bare).json()["detail"]


def test_a_stem_has_its_use_and_origin(world: World) -> None:
    song = add_mashup(world, world.alice, "Falls")
    output = {
        "stems": [{"kind": "vocals", "key": "jobs/a/1/vocals.flac", "sha256": "ab"}],
        "analysis": {"tempo_bpm": 90.5, "key": "E minor"},
        "model": {"name": "htdemucs", "device": "cpu", "precision": "fp32"},
    }
    job = finish_job(
        world, world.alice, "separate", output,
        audio="uploads/x/night.mp3", mashup_id=str(song), source_sha256=("cd",),
    )  # fmt: skip
    (row,) = world.rows("UPDATE stems SET is_public = true RETURNING id")
    for _ in range(2):  # by another user, in private mashups
        finish_mashup(world, world.bob, row["id"], mashup_id=str(add_mashup(world, world.bob)))
    path = f"/api/stems/{row['id']}"
    own = world.client.get(path, headers=world.as_user(world.alice)).json()
    assert own["usage_count"] == 2
    assert own["last_used_at"] is not None
    assert own["camelot"] == "9A"
    assert own["audio_url"] == f"http://testserver{path}/audio"
    assert own["provenance"] == {
        "song_id": str(song),
        "file_name": "night.mp3",
        "job_id": str(job),
        "mashup_id": str(song),
        "title": "Falls",
        "creator_id": str(world.alice),
        "model": "htdemucs",
        "source_sha256": ["cd"],
    }
    other = world.client.get(path, headers=world.as_user(world.bob)).json()
    assert other["usage_count"] == 2
    hidden = {"file_name": None, "title": None, "model": None, "source_sha256": None}
    assert other["provenance"] == own["provenance"] | hidden


@pytest.fixture
def stored(world: World, tmp_path: Path) -> UUID:
    """A private stem of Alice with audio and waveform in the store."""
    song = add_mashup(world, world.alice)
    key = f"jobs/{uuid4()}/1/vocals.flac"
    output = {"stems": [{"kind": "vocals", "key": key, "peaks_key": f"{key}.json"}]}
    finish_job(world, world.alice, "separate", output, audio="a", mashup_id=str(song))
    for name, content in ((key, b"fLaC0123456789"), (f"{key}.json", b'{"data":[]}')):
        file = tmp_path / "file"
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        world.context.storage.put(name, file, content_type="audio/flac", sha256=digest)
    (row,) = world.rows("SELECT id FROM stems")
    return UUID(str(row["id"]))


def test_audio_and_peaks_are_served_with_one_range(world: World, stored: UUID) -> None:
    headers = world.as_user(world.alice)
    audio = world.client.get(f"/api/stems/{stored}/audio", headers=headers)
    assert (audio.status_code, audio.content) == (200, b"fLaC0123456789")
    assert audio.headers["Content-Type"] == "audio/flac"
    part = world.client.get(f"/api/stems/{stored}/audio", headers={**headers, "Range": "bytes=4-6"})
    assert (part.status_code, part.content) == (206, b"012")
    head = world.client.head(f"/api/stems/{stored}/audio", headers=headers)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "14", b"")
    peaks = world.client.get(f"/api/stems/{stored}/peaks", headers=headers)
    assert peaks.json() == {"data": []}
    # A later separation replaces the current stems of the mashup, not this one's waveform.
    world.owner.execute("DELETE FROM mashup_stems")
    assert world.client.get(f"/api/stems/{stored}/peaks", headers=headers).json() == {"data": []}


def test_private_stems_of_others_are_not_there(world: World, stored: UUID) -> None:
    missing = uuid4()
    for user in (world.bob, world.alice):
        headers = world.as_user(user)
        for path in ("", "/audio", "/peaks"):
            answer = world.client.get(f"/api/stems/{stored}{path}", headers=headers)
            absent = world.client.get(f"/api/stems/{missing}{path}", headers=headers)
            assert absent.status_code == 404
            if user == world.alice:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 404
                assert answer.text == absent.text.replace(str(missing), str(stored))
    anonymous = world.client.get(f"/api/stems/{stored}/audio")
    assert anonymous.status_code == 401


def separated(world: World, user: UUID, license_id: str, license_class: str) -> UUID:
    """Complete a separation, whose model has a license; return the id of its only stem."""
    key = f"jobs/{uuid4()}/1/vocals.flac"
    model = {"name": "m", "license": {"id": license_id, "license_class": license_class}}
    output = {"stems": [{"kind": "vocals", "key": key}], "analysis": None, "model": model}
    job = finish_job(world, user, "separate", output, audio="a")
    (row,) = world.rows("SELECT id FROM stems WHERE job_id = %s", job)
    return UUID(str(row["id"]))


def test_stems_are_found_by_the_license_of_their_model(world: World) -> None:
    free = separated(world, world.alice, "MIT", "permissive")
    science = separated(world, world.alice, "scientific-only", "restricted")
    contract = separated(world, world.bob, "Contract 14", "unknown")
    before = add_stem(world, world.alice)
    world.rows("UPDATE stems SET is_public = true WHERE id = %s RETURNING id", contract)
    for terms, expected in (
        ("permissive", {free}),
        ("mit", {free}),
        ("restricted,unknown", {science, contract}),
        ("Contract 14", {contract}),
        ("Apache-2.0", set()),
    ):
        assert set(found(world, license=terms)) == expected, terms
    reference = add_stem(world, world.bob, is_public=True, tempo_bpm=120)
    assert found(world, license="permissive", compatible_with=reference) == [free]
    world.rows("DELETE FROM stems WHERE id = %s RETURNING id", reference)
    items = {UUID(item["id"]): item for item in search(world).json()["items"]}
    licenses = {stem: (item["license"], item["license_class"]) for stem, item in items.items()}
    assert licenses == {
        free: ("MIT", "permissive"),
        science: ("scientific-only", "restricted"),
        contract: ("Contract 14", "unknown"),
        before: (None, None),
    }
    details = world.client.get(f"/api/stems/{contract}", headers=world.as_user(world.alice)).json()
    assert (details["license"], details["provenance"]["model"]) == ("Contract 14", None)
    assert search(world, license=",").status_code == 422
