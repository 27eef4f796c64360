"""Stems add up to the song to the last unit, in the files too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.separation.exact import completing_stem
from mashup_worker.pipelines.separation.separate import (
    SeparateRequest,
    SeparateResult,
    separate_audio,
    separate_file,
)
from tests.engines import Splitter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mashup_worker.vocabulary import FormatName

MODEL = ("drums", "bass", "other", "vocals")


def integers(path: Path, bits: int) -> NDArray[np.int64]:
    """Return the samples as integers of this depth."""
    made: NDArray[np.int32] = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return made.astype(np.int64) >> (32 - bits)


def write_song(path: Path, bits: int, *, rate: int = 44_100, channels: int = 2) -> None:
    """Write noise that reaches full scale, with both of its ends."""
    generator = np.random.default_rng(bits)
    samples = generator.integers(-(2**31), 2**31, (30_000, channels)).astype(np.int32)
    samples[10], samples[11] = -(2**31), 2**31 - 1
    soundfile.write(path, samples, rate, subtype=f"PCM_{bits}")


def separated(
    folder: Path, splitter: Splitter, encode: EncodeOptions, kinds: tuple[str, ...]
) -> SeparateResult:
    targets = {kind: folder / f"{kind}.{encode.format}" for kind in kinds}
    request = SeparateRequest(folder / "song.wav", targets, encode, sum_exact=True)
    return separate_file(splitter, request)


@pytest.mark.parametrize("form", ["flac", "wav"])
@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("kinds", [("low", "high"), ("high", "no_high")], ids=str)
def test_integers_of_files_add_up_to_those_of_the_song(
    tmp_path: Path, form: FormatName, bits: int, kinds: tuple[str, ...]
) -> None:
    write_song(tmp_path / "song.wav", bits)
    encode = EncodeOptions(form, bits)
    made = separated(tmp_path, Splitter(0.3, high=0.45), encode, kinds)
    assert not made.shared_gain_db
    stems = [integers(stem.path, bits) for stem in made.stems]
    assert np.array_equal(sum(stems), integers(tmp_path / "song.wav", bits))


@pytest.mark.parametrize("share", [1.7, -0.2])
@pytest.mark.parametrize("bits", [16, 24])
def test_scaled_stems_add_up_to_the_scaled_song(tmp_path: Path, bits: int, share: float) -> None:
    """One stem exceeds full scale, so all are scaled; nothing clips."""
    write_song(tmp_path / "song.wav", bits)
    made = separated(tmp_path, Splitter(share), EncodeOptions("wav", bits), ("low", "high"))
    assert made.shared_gain_db < 0
    total = sum(integers(stem.path, bits) for stem in made.stems)
    gain = np.float32(10 ** (made.shared_gain_db / 20))
    song = integers(tmp_path / "song.wav", bits) * gain
    assert np.abs(total - song).max() <= 1
    peak = max(np.abs(integers(stem.path, bits)).max() for stem in made.stems)
    assert peak <= 2 ** (bits - 1) - 1


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (32_000, 2), (96_000, 1)])
def test_at_other_rates_and_in_mono(tmp_path: Path, rate: int, channels: int) -> None:
    write_song(tmp_path / "song.wav", 16, rate=rate, channels=channels)
    made = separated(tmp_path, Splitter(0.3), EncodeOptions("wav", 24), ("low", "high"))
    total = sum(integers(stem.path, 24) for stem in made.stems)
    song = integers(tmp_path / "song.wav", 24)
    gain = 10 ** (made.shared_gain_db / 20)
    assert np.abs(total - gain * song).max() <= 1


def test_floats_of_files_add_up_to_those_of_the_song(tmp_path: Path) -> None:
    write_song(tmp_path / "song.wav", 24)
    made = separated(tmp_path, Splitter(0.3), EncodeOptions("wav", 32), ("low", "high"))
    low, high = (soundfile.read(stem.path, dtype="float32")[0] for stem in made.stems)
    song = soundfile.read(tmp_path / "song.wav", dtype="float32")[0]
    assert np.array_equal(low + high, song)


def test_silence_stays_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((100, 2)), 44_100)
    made = separated(tmp_path, Splitter(0.3), EncodeOptions("wav", 16), ("low", "high"))
    assert not any(integers(stem.path, 16).any() for stem in made.stems)


def test_audio_in_memory_adds_up_to_rounding() -> None:
    audio = Audio(torch.randn(2, 10_000), 44_100)
    made = separate_audio(Splitter(0.3, high=0.45), audio, sum_exact=True)
    total = made["low"].samples + made["high"].samples
    torch.testing.assert_close(total, audio.samples, rtol=1e-6, atol=1e-6)
    loose = separate_audio(Splitter(0.3, high=0.45), audio)
    assert (loose["low"].samples + loose["high"].samples - audio.samples).abs().max() > 0.1


@pytest.mark.parametrize(
    ("residual", "wanted", "stem"),
    [
        (None, MODEL, "other"),
        (None, ("vocals", "other", "bass", "drums"), "other"),
        ("drums", MODEL, "drums"),
        (None, ("bass", "no_bass"), "no_bass"),
        ("other", ("no_other", "other"), "no_other"),
    ],
)
def test_one_stem_takes_the_remainder(
    residual: str | None, wanted: tuple[str, ...], stem: str
) -> None:
    assert completing_stem(MODEL, residual, wanted) == stem


def test_the_last_stem_takes_the_remainder_where_none_is_called_other() -> None:
    assert completing_stem(("low", "high"), None, ("low", "high")) == "high"


@pytest.mark.parametrize("wanted", [("vocals",), ("vocals", "no_drums"), (*MODEL, "no_vocals")])
def test_stems_that_are_not_the_whole_song_are_refused(wanted: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="not the whole song"):
        completing_stem(MODEL, None, wanted)


def test_the_only_stem_of_a_model_is_not_the_whole_song() -> None:
    with pytest.raises(InvalidInput, match="such as vocals and no_vocals"):
        completing_stem(("vocals",), None, ("vocals",))
    assert completing_stem(("vocals",), None, ("vocals", "no_vocals")) == "no_vocals"


def test_lossy_formats_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="mp3: coded with loss"):
        separated(tmp_path, Splitter(0.3), EncodeOptions("mp3"), ("low", "high"))
