"""The Python interface, as its users import it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

import mashup_worker as mw
from mashup_worker.bench import music

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_NAMES = {
    *("Analysis", "Audio", "MashupResult", "MasterResult", "Model", "SeparateResult"),
    *("Canceled", "DeviceUnavailable", "InvalidInput", "MashupError", "ModelUnavailable"),
    *("ModelNotAllowed", "OutOfMemory", "StorageFailed", "UnknownModel", "UnsupportedAudio"),
    *("analyze", "export", "load_audio", "load_model", "mashup", "master", "__version__"),
}


@pytest.fixture(scope="module")
def model() -> mw.Model:
    return mw.load_model("lite", device="cpu")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    music.song(8.0, tempo_bpm=120.0).save(path)
    return path


def test_the_public_names_are_these() -> None:
    assert set(mw.__all__) == PUBLIC_NAMES
    assert all(getattr(mw, name) is not None for name in mw.__all__)
    with pytest.raises(AttributeError, match="separate_everything"):
        _ = mw.separate_everything


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, mashup_worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stems_of_a_file_and_of_audio_are_the_same(model: mw.Model, song: Path) -> None:
    from_file = model.separate(song)
    from_audio = model.separate(mw.load_audio(song))
    assert set(from_file) == set(model.stems)
    for kind, stem in from_file.items():
        assert torch.equal(stem.samples, from_audio[kind].samples)


def test_stems_written_to_files_are_those_in_memory(
    model: mw.Model, song: Path, tmp_path: Path
) -> None:
    result = model.separate_file(song, tmp_path, format="wav", bit_depth=32, stems=["vocals"])
    (stem,) = result.stems
    assert stem.path == tmp_path / "vocals.wav"
    expected = model.separate(song, stems=["vocals"])["vocals"]
    assert torch.allclose(mw.load_audio(stem.path).samples, expected.samples, atol=1e-6)


def test_a_folder_of_checkpoints_is_a_model(tmp_path: Path) -> None:
    with pytest.raises(mw.InvalidInput, match="0 models"):
        mw.load_model(tmp_path)


def test_models_are_allowed_by_their_license(model: mw.Model) -> None:
    assert model.license.id == "MIT"
    with pytest.raises(mw.ModelNotAllowed, match=r"^htdemucs: .*use lite$"):
        mw.load_model("htdemucs", license="permissive")
    with pytest.raises(mw.ModelNotAllowed, match=r"^lite: .*allowed is only Apache-2.0, unknown;"):
        mw.load_model("lite", license="apache-2.0,unknown")
    with pytest.raises(mw.InvalidInput, match="not a name"):
        mw.load_model("lite", license=",")


@pytest.mark.parametrize("options", [{"overlap": 2.0}, {"nonsense": 1}])
def test_wrong_options_are_invalid_input(options: dict[str, Any]) -> None:
    with pytest.raises(mw.InvalidInput):
        mw.load_model("lite", **options)


def test_analysis_of_a_file_of_audio_and_of_stems(model: mw.Model, song: Path) -> None:
    of_file = mw.analyze(song)
    assert of_file.tempo_bpm == pytest.approx(120.0, abs=0.1)
    assert mw.analyze(mw.load_audio(song)).tempo_bpm == of_file.tempo_bpm
    assert mw.analyze(model.separate(song)).duration_s == pytest.approx(8.0)


def test_audio_is_converted_and_saved(song: Path, tmp_path: Path) -> None:
    audio = mw.load_audio(song, sample_rate=22_050)
    assert audio.duration_s == pytest.approx(8.0)
    audio.save(tmp_path / "copy.flac", bit_depth=24)
    assert torch.allclose(mw.load_audio(tmp_path / "copy.flac").samples, audio.samples, atol=1e-6)
    with pytest.raises(mw.InvalidInput, match=r"copy\.xyz"):
        audio.save(tmp_path / "copy.xyz")


def test_a_master_has_the_loudness_asked_for(song: Path, tmp_path: Path) -> None:
    result = mw.master(song, tmp_path / "loud.flac", loudness_lufs=-16.0)
    assert result.loudness.integrated_lufs == pytest.approx(-16.0, abs=0.1)


def test_a_mashup_from_stems(
    model: mw.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASHUP_SONG_CACHE", str(tmp_path / "cache"))
    stems = music.stems(20.0, tempo_bpm=120.0)
    for kind, stem in stems.items():
        stem.save(tmp_path / "a" / f"{kind}.wav")
        if kind != "vocals":
            stem.save(tmp_path / "b" / f"{kind}.wav")
    silence = torch.zeros_like(stems["drums"].samples)
    mw.Audio(silence, stems["drums"].sample_rate).save(tmp_path / "b" / "guitar.wav")
    result = mw.mashup(
        vocals={"vocals": tmp_path / "a" / "vocals.wav"},
        over=[{path.stem: path for path in (tmp_path / "b").iterdir()}],
        output=tmp_path / "night.wav",
        length_s=12.0,
        model=model,
        device="cpu",
    )
    assert (tmp_path / "night.wav").is_file()
    assert result.plan.form == "layer"
    assert any("/guitar is silent" in note for note in result.plan.notes)
    made = mw.export(result, tmp_path / "out", ["dawproject", "rekordbox"])
    assert [path.name for path in made] == ["night.dawproject", "rekordbox.xml"]
    with pytest.raises(mw.InvalidInput, match="songs"):
        mw.mashup(output=tmp_path / "nothing.wav")
    twice = dict.fromkeys(("accompaniment", "no_vocals"), tmp_path / "a" / "drums.wav")
    with pytest.raises(mw.InvalidInput, match="no_vocals is named twice"):
        mw.mashup(songs=[twice], output=tmp_path / "nothing.wav")


def test_songs_are_exported_whole_and_in_stems(model: mw.Model, song: Path, tmp_path: Path) -> None:
    stems, analysis = model.separate(song), mw.analyze(song)
    made = mw.export(stems, tmp_path, ["dawproject", "click"], title="Night", analysis=analysis)
    assert [path.name for path in made] == ["Night.dawproject", "Night click.wav"]
    files = {kind: tmp_path / "night" / f"{kind}.flac" for kind in ("vocals", "accompaniment")}
    (tmp_path / "night").mkdir()
    for path in files.values():
        stems["vocals"].save(path)
    assert [path.name for path in mw.export(files, tmp_path, ["m3u8"])] == ["playlist.m3u8"]
    assert (tmp_path / "playlist.m3u8").read_text().endswith("\nnight/accompaniment.flac\n")
    assert [path.name for path in mw.export(song, tmp_path, "wav")] == ["song markers.wav"]
    for stems_of, formats, reason in (
        (song, "mp4", "formats: unknown format 'mp4'"),
        (song, "stem-folder", "song: no stems"),
        (files | {"no_vocals": song}, "m3u8", "export: no_vocals is named twice"),
        (stems, "m3u8", "song: no file to list"),
    ):
        with pytest.raises(mw.InvalidInput, match=reason):
            mw.export(stems_of, tmp_path, formats)  # type: ignore[arg-type]
