"""Stems, analysis and waveforms of a song from one decoding of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mashup_worker.audio.decode import Decoder, decode
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.peaks import write_peaks
from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files
from mashup_worker.pipelines.separation.separate import SeparateRequest
from mashup_worker.pipelines.song import STAGES, SplitSong, split_song
from tests.engines import Splitter
from tests.unit.audio_fixtures import write
from tests.unit.music import even_beats
from tests.unit.music import song as music

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mashup_worker.analysis.result import Analysis

TEMPO_BPM, DURATION_S = 118.0, 16.0


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    audio = music(even_beats(TEMPO_BPM, DURATION_S), DURATION_S, sample_rate=44_100)
    return write(tmp_path_factory.mktemp("song") / "song.wav", audio, "FLOAT")


def split(
    song: Path, folder: Path, encode: EncodeOptions, *kinds: str, share: float = 0.25, **how: Any
) -> SplitSong:
    targets = {kind: folder / f"{kind}.{encode.format}" for kind in kinds or Splitter.stems}
    options: dict[str, Any] = {"analyze": True, "device": "cpu", "on_progress": lambda *_: None}
    request = SeparateRequest(song, targets, encode)
    return split_song(Splitter(share), request, **(options | how))


def alike(one: Analysis, other: Analysis, tolerance: float) -> None:
    """Equal but for the rounding of samples."""
    assert one.tempo_bpm == pytest.approx(other.tempo_bpm, abs=10 * tolerance)
    np.testing.assert_allclose(one.beats_s, other.beats_s, rtol=0, atol=tolerance)
    assert one.downbeats_s == pytest.approx(other.downbeats_s, abs=tolerance)
    assert (one.key, one.beats_per_bar) == (other.key, other.beats_per_bar)
    assert one.loudness_lufs == pytest.approx(other.loudness_lufs, abs=tolerance)
    assert one.true_peak_dbtp == pytest.approx(other.true_peak_dbtp, abs=tolerance)
    assert one.duration_s == other.duration_s


def data(waveform: Path) -> np.ndarray:
    return np.array(json.loads(waveform.read_bytes())["data"])


@pytest.mark.parametrize("share", [0.25, 5.0])
@pytest.mark.parametrize(
    "encode",
    [EncodeOptions("flac"), EncodeOptions("flac", 24), EncodeOptions("wav", 32)],
    ids=lambda options: f"{options.format}{options.bit_depth}",
)
def test_memory_gives_the_results_of_the_written_files(
    encode: EncodeOptions, share: float, song: Path, tmp_path: Path
) -> None:
    made = split(song, tmp_path, encode, share=share)
    assert (made.separated.shared_gain_db < 0) is (share > 1 and not encode.is_float)
    if encode.format == "flac":
        assert soundfile.SoundFile(tmp_path / "low.flac").comment.endswith("118.00 BPM")
    paths = {kind: tmp_path / f"{kind}.{encode.format}" for kind in Splitter.stems}
    assert made.analysis is not None
    exact = 1e-9 if encode.is_float else 1e-3
    alike(made.analysis.analysis, analyze_stem_files(paths).analysis, exact)
    for kind, path in paths.items():
        write_peaks(decode(path), tmp_path / "decoded.json")
        drawn, decoded = data(made.files[f"{kind}.peaks.json"]), data(tmp_path / "decoded.json")
        assert np.abs(drawn - decoded).max() <= (0 if encode.is_float else 1)
    beside = (".peaks.json", *[".frames.json"] * (encode.format == "flac"))
    assert set(made.files) == {
        path.stem + suffix for path in paths.values() for suffix in (path.suffix, *beside)
    }
    for path in paths.values() if encode.format == "flac" else ():
        index = json.loads(made.files[f"{path.stem}.frames.json"].read_bytes())
        assert index["samples"] == decode(path).length_samples
        assert index["offsets"][-1] == path.stat().st_size


@pytest.mark.parametrize("encode", [EncodeOptions("flac"), EncodeOptions("mp3")])
def test_only_the_song_is_decoded(
    encode: EncodeOptions, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    init = Decoder.__init__

    def counting(self: Decoder, path: Path, *limits: Any) -> None:
        decoded.append(path)
        init(self, path, *limits)

    monkeypatch.setattr(Decoder, "__init__", counting)
    split(song, tmp_path, encode)
    assert decoded == [song]


def test_fewer_stems_leave_the_analysis_to_the_song(song: Path, tmp_path: Path) -> None:
    made = split(song, tmp_path, EncodeOptions("flac"), "low")
    assert made.analysis is not None
    alike(made.analysis.analysis, analyze_file(song).analysis, 1e-6)
    assert set(made.files) == {"low.flac", "low.peaks.json", "low.frames.json"}


def test_without_an_analysis_there_are_stems_and_waveforms(song: Path, tmp_path: Path) -> None:
    stages = []
    made = split(
        song, tmp_path, EncodeOptions("flac"), analyze=False,
        on_progress=lambda stage, _: stages.append(stage),
    )  # fmt: skip
    assert made.analysis is None
    assert {path.name for path in tmp_path.iterdir()} == set(made.files)
    assert list(dict.fromkeys(stages)) == ["decode", "separate", "encode", "peaks"]
    assert set(made.timings_s) == set(stages) <= set(STAGES)
