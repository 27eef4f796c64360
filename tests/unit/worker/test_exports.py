"""Exports of jobs: files beside the results, named in the output, and warnings for the others."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from mashup_worker.audio.song_tags import SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.settings import Settings
from mashup_worker.worker.model_cache import ModelCache
from tests.unit.exports.daw import Daw
from tests.unit.worker.test_handlers import KINDS, SINGER, Job, TableInputs, stems_of

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.vocabulary import JobType


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(Settings(offline=True), default="lite", device="cpu")


@pytest.fixture(scope="module")
def stems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return stems_of(SINGER, tmp_path_factory.mktemp("stems"))


def test_a_separated_song_is_exported_beside_its_stems(
    models: ModelCache, stems: dict[str, Path], tmp_path: Path
) -> None:
    song = stems["drums"]
    inputs = TableInputs({"a": song}, tags={song: SongTags(title="Näme/1", artist="A")})
    names = ["dawproject", "stem-folder", "rekordbox", "m3u8", "preview"]
    output = Job("separate", {"audio": "a", "export": names}, inputs, models, tmp_path).output()
    assert output["warnings"] == []
    found = {one["format"]: one["key"].rpartition("/")[2] for one in output["exports"]}
    assert found == {
        "dawproject": "export-dawproject.dawproject",
        "stem-folder": "export-stem-folder.zip",
        "rekordbox": "export-rekordbox.xml",
        "m3u8": "export-m3u8.m3u8",
        "preview": "export-preview.mp3",
    }
    assert all(one["bytes"] > 0 and one["url"] for one in output["exports"])
    assert len(Daw(tmp_path / found["dawproject"]).sounds) == 4
    with zipfile.ZipFile(tmp_path / found["stem-folder"]) as archive:
        assert {name.rpartition("/")[2] for name in archive.namelist()} == {
            *(f"{kind}.wav" for kind in KINDS),
            "tempo map.mid",
        }
    lines = (tmp_path / found["m3u8"]).read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == [f"{kind}.flac" for kind in KINDS]
    tracks = list(ET.parse(tmp_path / found["rekordbox"]).iter("TRACK"))
    assert tracks[0].attrib["Location"] == "file://localhost/drums.flac"
    assert tracks[0].find("TEMPO") is not None
    assert read_tags(tmp_path / found["preview"]).tags.title == "Näme/1"
    assert output["timings_s"]["export"] > 0


def test_stems_of_an_earlier_job_are_exported_as_their_user_corrected_them(
    models: ModelCache, stems: dict[str, Path], tmp_path: Path
) -> None:
    addresses = {kind: f"jobs/1/1/{kind}.flac" for kind in KINDS}
    files = {addresses[kind]: stems[kind] for kind in KINDS}
    plain = Job("analyze", {"stems": addresses}, TableInputs(files), models, tmp_path).output()
    assert plain["exports"] == []
    tempo_bpm = plain["analysis"]["tempo_bpm"] / 2
    known = plain["analysis"] | {
        "tempo_bpm": tempo_bpm,
        "beats_s": plain["analysis"]["beats_s"][::2],
        "downbeats_s": plain["analysis"]["downbeats_s"][::2],
    }
    inputs = TableInputs(files, analyses={addresses["vocals"]: known})
    document = {"stems": addresses, "export": ["rekordbox", "loops"], "title": "Night"}
    job = Job("analyze", document, inputs, models, tmp_path)
    output = job.output()
    assert job.sources().facts == {"analysis": known}
    track = next(ET.parse(tmp_path / "export-rekordbox.xml").iter("TRACK"))
    assert float(track.attrib["AverageBpm"]) == pytest.approx(tempo_bpm, abs=0.01)
    assert track.attrib["Location"] == "file://localhost/drums.flac"
    assert track.attrib["Name"] == "Night (drums)"
    assert output["exports"][1]["key"].endswith("/export-loops.zip")
    assert plain["analysis"]["tempo_bpm"] == output["analysis"]["tempo_bpm"]


def test_a_mashup_is_exported_without_paths_of_the_worker(
    models: ModelCache, stems: dict[str, Path], tmp_path: Path
) -> None:
    document = {
        "stems": [{"audio": kind, "kind": kind, "song": "s"} for kind in KINDS],
        "config": {"length_s": 8},
        "export": ["dawproject", "native-stem"],
    }
    output = Job("mashup", document, TableInputs(stems), models, tmp_path).output()
    daw = Daw(tmp_path / "export-dawproject.dawproject")
    assert str(tmp_path) not in daw.archive.read("project.xml").decode()
    assert {one.attrib["comment"].partition(",")[0] for one in daw.lanes.iter("Clip")} <= {*KINDS}
    formats = [one["format"] for one in output["exports"]]
    missing = [text for text in output["warnings"] if text.startswith("export native-stem: ")]
    assert formats == ["dawproject", *(["native-stem"] if not missing else [])]


def test_a_master_is_analyzed_and_exported(
    models: ModelCache, stems: dict[str, Path], tmp_path: Path
) -> None:
    song = stems["drums"]
    inputs = TableInputs({"a": song}, tags={song: SongTags(title="Night")})
    document = {"audio": "a", "format": "wav", "export": ["rekordbox", "click", "dawproject"]}
    output = Job("master", document, inputs, models, tmp_path).output()
    assert [one["format"] for one in output["exports"]] == ["rekordbox", "click"]
    assert output["warnings"] == [
        "export dawproject: Night: no stems, which a DAWproject needs; separate it"
    ]
    track = next(ET.parse(tmp_path / "export-rekordbox.xml").iter("TRACK"))
    assert track.attrib["Location"] == "file://localhost/master.wav"
    assert track.attrib["Name"] == "Night"
    assert track.find("TEMPO") is not None


def test_what_a_song_lacks_is_a_warning(
    models: ModelCache, stems: dict[str, Path], tmp_path: Path
) -> None:
    document = {"audio": "a", "stems": ["vocals"], "analyze": False, "export": ["click", "wav"]}
    output = Job("separate", document, TableInputs({"a": stems["bass"]}), models, tmp_path).output()
    assert output["warnings"] == [
        "export click: song: no beat was found, which a click track needs"
    ]
    assert [one["format"] for one in output["exports"]] == ["wav"]


def test_exports_determine_the_result(models: ModelCache, tmp_path: Path) -> None:
    def settings(job_type: JobType, **more: object) -> dict[str, object]:
        inputs = TableInputs({"a": tmp_path})
        job = Job(job_type, {"audio": "a", **more}, inputs, models, tmp_path)
        return dict(job.handler.settings(job.context))

    job_types: tuple[JobType, ...] = ("separate", "analyze", "master")
    for job_type in job_types:
        plain = settings(job_type)
        assert "export" not in plain
        assert plain == settings(job_type, webhook="https://example.com/w")
        assert settings(job_type, export=["wav"]) != settings(job_type, export=["click"])
