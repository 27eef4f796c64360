"""A song's stems have its rate, channels and length, and never clip, whatever the song is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import Canceled, InvalidInput, StorageFailed, TooLong, UnsupportedAudio
from mashup_worker.pipelines.separation.separate import (
    SeparateRequest,
    separate_audio,
    separate_file,
)
from tests.engines import Splitter

if TYPE_CHECKING:
    from pathlib import Path


def song(path: Path, sample_rate: int, channels: int, duration_s: float = 1.5) -> np.ndarray:
    """Write a song of low tones; returns its samples, shape `(samples, channels)`."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    tones = [np.sin(2 * np.pi * (110 + 30 * n) * time_s) for n in range(channels)]
    samples = 0.3 * np.stack(tones, axis=1)
    soundfile.write(path, samples, sample_rate, subtype="FLOAT")
    return samples


def request(tmp_path: Path, *kinds: str, encode: EncodeOptions | None = None) -> SeparateRequest:
    encode = encode or EncodeOptions("wav", 32)
    targets = {kind: tmp_path / "stems" / f"{kind}.{encode.format}" for kind in kinds}
    return SeparateRequest(tmp_path / "song.wav", targets, encode)


@pytest.mark.parametrize("sample_rate", [8_000, 22_051, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("residual", [None, "high"])
def test_stems_have_the_songs_rate_channels_and_length(
    tmp_path: Path, sample_rate: int, channels: int, residual: str | None
) -> None:
    expected = song(tmp_path / "song.wav", sample_rate, channels)
    result = separate_file(Splitter(0.25, residual), request(tmp_path, "low", "high"))
    total = np.zeros_like(expected)
    for stem, share in zip(result.stems, (0.25, 0.75), strict=True):
        samples, stem_rate_hz = soundfile.read(stem.path, always_2d=True)
        assert stem_rate_hz == sample_rate
        assert samples.shape == expected.shape
        middle = slice(len(expected) // 10, -len(expected) // 10)
        assert np.abs(samples[middle] - share * expected[middle]).max() < 2e-3
        assert stem.duration_s == len(expected) / sample_rate
        total += samples
    if residual:
        assert np.abs(total - expected).max() < 1e-6


def test_six_channels_become_stereo_stems(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 48_000, 6)
    result = separate_file(Splitter(), request(tmp_path, "low"))
    assert soundfile.info(result.stems[0].path).channels == 2


def test_only_requested_stems_are_computed_and_written(tmp_path: Path) -> None:
    expected = song(tmp_path / "song.wav", 44_100, 2)
    splitter = Splitter(0.25)
    result = separate_file(splitter, request(tmp_path, "low", "no_low"))
    assert splitter.asked == ("low",)
    samples, _ = soundfile.read(result.stems[1].path)
    assert np.abs(samples - 0.75 * expected).max() < 1e-5
    assert {path.name for path in (tmp_path / "stems").iterdir()} == {"low.wav", "no_low.wav"}


@pytest.mark.parametrize("encode", [EncodeOptions("flac", 16), EncodeOptions("wav", 24)])
def test_stems_that_would_clip_are_all_scaled_by_one_gain(
    tmp_path: Path, encode: EncodeOptions
) -> None:
    expected = song(tmp_path / "song.wav", 44_100, 2)
    result = separate_file(Splitter(5.0), request(tmp_path, "low", "high", encode=encode))
    low, high = (soundfile.read(stem.path)[0] for stem in result.stems)
    gain = 10 ** (result.shared_gain_db / 20)
    assert result.shared_gain_db == pytest.approx(20 * np.log10(1 / 1.5), abs=0.01)
    assert 0.999 < np.abs(low).max() < 1
    assert np.abs(low - gain * 5 * expected).max() < 1e-4
    assert np.abs(high - gain * -4 * expected).max() < 1e-4


def test_float_stems_are_never_scaled(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    result = separate_file(Splitter(5.0), request(tmp_path, "low"))
    assert result.shared_gain_db == 0
    assert np.abs(soundfile.read(result.stems[0].path)[0]).max() > 1.4


def test_loudness_is_that_of_the_file_written(tmp_path: Path) -> None:
    import pyloudnorm

    song(tmp_path / "song.wav", 48_000, 2, duration_s=4)
    result = separate_file(Splitter(3.0), request(tmp_path, "low", encode=EncodeOptions("flac")))
    samples, sample_rate = soundfile.read(result.stems[0].path)
    measured = pyloudnorm.Meter(sample_rate).integrated_loudness(samples)
    assert result.stems[0].loudness_lufs == pytest.approx(measured, abs=0.1)


def test_samples_that_are_not_numbers_are_silence_and_counted(tmp_path: Path) -> None:
    samples = song(tmp_path / "song.wav", 44_100, 2)
    samples[1000:1010, 0] = np.nan
    samples[2000, 1] = np.inf
    soundfile.write(tmp_path / "song.wav", samples, 44_100, subtype="FLOAT")
    result = separate_file(Splitter(), request(tmp_path, "low"))
    assert result.non_finite_samples == 11
    assert np.isfinite(soundfile.read(result.stems[0].path)[0]).all()


@pytest.mark.parametrize("duration_s", [0.001, 0.01])
def test_short_and_silent_songs_have_no_loudness(tmp_path: Path, duration_s: float) -> None:
    song(tmp_path / "song.wav", 44_100, 1, duration_s)
    result = separate_file(Splitter(), request(tmp_path, "low"))
    assert result.stems[0].loudness_lufs is None
    assert soundfile.info(result.stems[0].path).frames == round(duration_s * 44_100)


def test_limits_hold(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    wanted = request(tmp_path, "low")
    limited = SeparateRequest(
        source=wanted.source,
        targets=wanted.targets,
        encode=wanted.encode,
        limits=DecodeLimits(max_duration_s=1),
    )
    with pytest.raises(TooLong, match=r"song\.wav"):
        separate_file(Splitter(), limited)
    assert not (tmp_path / "stems").exists()


@pytest.mark.parametrize("stage", ["decode", "separate", "encode"])
def test_stopping_leaves_no_file_behind(tmp_path: Path, stage: str) -> None:
    song(tmp_path / "song.wav", 44_100, 2, duration_s=20)

    def stop(at: str, share: float) -> None:
        if at == stage and share > 0.3:
            raise Canceled

    with pytest.raises(Canceled):
        separate_file(Splitter(), request(tmp_path, "low", "high"), stop)
    folder = tmp_path / "stems"
    assert not folder.exists() or not list(folder.iterdir())


def test_stems_appear_after_the_call_before_publishing(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    wanted = request(tmp_path, "low", "high")
    seen = []

    def look() -> None:
        seen.append([path.exists() for path in wanted.targets.values()])

    separate_file(Splitter(), replace(wanted, before_publish=look))
    assert seen == [[False, False]]
    assert all(path.is_file() for path in wanted.targets.values())


def test_an_error_before_publishing_keeps_the_stems_of_before(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    wanted = request(tmp_path, "low", "high")
    wanted.targets["low"].parent.mkdir()
    wanted.targets["low"].write_text("from before")

    def fail() -> None:
        raise StorageFailed

    with pytest.raises(StorageFailed):
        separate_file(Splitter(), replace(wanted, before_publish=fail))
    assert [path.name for path in wanted.targets["low"].parent.iterdir()] == ["low.wav"]
    assert wanted.targets["low"].read_text() == "from before"


def test_a_stem_that_can_not_be_written_takes_the_others_with_it(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    wanted = request(tmp_path, "low", "high")
    targets = {**wanted.targets, "high": blocked / "high.wav"}
    with pytest.raises(StorageFailed, match="file"):
        separate_file(Splitter(), SeparateRequest(wanted.source, targets, wanted.encode))
    assert not list(tmp_path.rglob("low*"))


def test_progress_passes_through_all_stages_and_ends_at_one(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2, duration_s=20)
    seen: dict[str, list[float]] = {}
    separate_file(
        Splitter(),
        request(tmp_path, "low"),
        lambda stage, share: seen.setdefault(stage, []).append(share),
    )
    assert list(seen) == ["decode", "separate", "encode"]
    for shares in seen.values():
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1, abs=0.01)


def test_a_file_that_is_not_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_text("not audio")
    with pytest.raises(UnsupportedAudio, match=r"song\.wav"):
        separate_file(Splitter(), request(tmp_path, "low"))


def test_a_stem_that_the_model_does_not_make_is_refused(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    with pytest.raises(InvalidInput, match="banjo"):
        separate_file(Splitter(), request(tmp_path, "banjo"))


@pytest.mark.parametrize("sample_rate", [8_000, 96_000, 192_000])
def test_one_sample_is_a_song(tmp_path: Path, sample_rate: int) -> None:
    soundfile.write(tmp_path / "song.wav", [0.5], sample_rate)
    result = separate_file(Splitter(0.25, "high"), request(tmp_path, "low", "high"))
    total = sum(soundfile.read(stem.path)[0][0] for stem in result.stems)
    assert total == pytest.approx(0.5, abs=1e-4)


def test_a_folder_in_the_place_of_a_stem_is_noticed_before_the_work(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    splitter = Splitter()
    (tmp_path / "stems" / "low.wav").mkdir(parents=True)
    with pytest.raises(StorageFailed, match=r"low\.wav: .*Is a directory"):
        separate_file(splitter, request(tmp_path, "low", "high"))
    assert not splitter.asked


def test_names_that_are_too_long_are_noticed_before_the_work(tmp_path: Path) -> None:
    song(tmp_path / "song.wav", 44_100, 2)
    splitter = Splitter()
    targets = {"low": tmp_path / ("n" * 300) / "low.wav"}
    with pytest.raises(StorageFailed, match="too long"):
        separate_file(splitter, SeparateRequest(tmp_path / "song.wav", targets))
    assert not splitter.asked


def test_sound_in_memory_that_is_not_numbers_is_silence() -> None:
    samples = torch.full((2, 1000), 0.5)
    samples[0, 10] = torch.nan
    stems = separate_audio(Splitter(0.25, "high"), Audio(samples, 44_100))
    assert all(stem.samples.isfinite().all() for stem in stems.values())


def test_more_than_two_channels_in_memory_are_refused() -> None:
    with pytest.raises(InvalidInput, match="3 channels"):
        separate_audio(Splitter(), Audio(torch.zeros(3, 100), 44_100))


@pytest.mark.parametrize("shape", [(1, 44_100), (2, 44_100), (1, 1), (2, 0)])
def test_sound_in_memory_keeps_its_shape(shape: tuple[int, int]) -> None:
    audio = Audio(0.1 * torch.randn(*shape), 48_000)
    stems = separate_audio(Splitter(0.5, "high"), audio)
    assert list(stems) == ["low", "high"]
    assert torch.allclose(stems["low"].samples + stems["high"].samples, audio.samples, atol=1e-6)
    assert all(stem.sample_rate == 48_000 for stem in stems.values())
