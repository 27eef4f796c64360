"""Mastering: the wanted loudness and true peak, in the file as it is played."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.compressor import Compression
from mashup_worker.dsp.loudness import integrated_lufs, measure
from mashup_worker.dsp.true_peak import true_peak_dbtp
from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.pipelines.master import MasterRequest, mastered, write_master
from tests.unit.mashups import seeded

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.vocabulary import FormatName

RATE_HZ = 44_100


def music(level: float = 0.2, sample_rate: int = RATE_HZ, duration_s: float = 8.0) -> Audio:
    """Beats over a chord, louder in its second half."""
    at = torch.arange(round(duration_s * sample_rate)) / sample_rate
    chord = sum(torch.sin(2 * math.pi * hz * at) for hz in (110.0, 220.0, 277.0, 330.0))
    beat = torch.exp(-30 * (at % 0.5)) * torch.randn(len(at), generator=seeded(1))
    loud = 0.4 + 0.6 * (at > duration_s / 2)
    mono = level * loud * (0.25 * chord + 0.3 * beat)
    return Audio(torch.stack([mono, 0.8 * mono]), sample_rate)


@pytest.mark.parametrize("wanted_lufs", [-23.0, -14.0, -9.0])
@pytest.mark.parametrize("level", [0.01, 0.9])
def test_loudness_and_true_peak_are_reached(wanted_lufs: float, level: float) -> None:
    done = mastered(music(level), MasterRequest(wanted_lufs, -1.0, Compression()))
    assert integrated_lufs(done.audio) == pytest.approx(wanted_lufs, abs=0.05)
    peak = true_peak_dbtp(done.audio)
    assert peak is not None
    assert peak <= -0.97


def test_a_loudness_that_was_reached_is_reached_with_a_higher_bound_only() -> None:
    peaks = music(0.2)
    peaks.samples[:, ::22_050], peaks.samples[:, 1::22_050] = 0.9, -0.9
    short = mastered(peaks, MasterRequest(-10.0))
    assert short.held_back
    assert short.lufs is not None
    again = mastered(peaks, MasterRequest(short.lufs))
    assert again.held_back
    raised = mastered(peaks, MasterRequest(short.lufs, most_limiting_db=21.0))
    assert not raised.held_back
    assert raised.lufs == pytest.approx(short.lufs, abs=0.05)


def test_a_target_that_needs_too_much_limiting_is_missed_with_a_note() -> None:
    clicks = torch.zeros(1, 4 * RATE_HZ)
    clicks[0, ::4410] = 0.5
    done = mastered(Audio(clicks, RATE_HZ), MasterRequest(-6.0))
    assert "limiting" in " ".join(done.notes)
    peak = true_peak_dbtp(done.audio)
    assert peak is not None
    assert peak <= -0.97


@pytest.mark.parametrize("length", [1, 1_000, RATE_HZ])
def test_silence_and_short_sounds_are_unchanged(length: int) -> None:
    silent = Audio(torch.zeros(2, length), RATE_HZ)
    done = mastered(silent, MasterRequest())
    assert torch.equal(done.audio.samples, silent.samples)
    assert "its level stays" in done.notes[0]


@pytest.mark.parametrize(
    ("format_", "tolerance"), [("wav", 0.1), ("flac", 0.1), ("mp3", 0.5), ("ogg", 0.5)]
)
@pytest.mark.parametrize("wanted_lufs", [-14.0, -9.0])
def test_the_decoded_file_meets_loudness_and_peak(
    tmp_path: Path, format_: FormatName, tolerance: float, wanted_lufs: float
) -> None:
    target = tmp_path / f"song.{format_}"
    result = write_master(
        music(), target, MasterRequest(wanted_lufs), encode=EncodeOptions(format_)
    )
    played = decode(target)
    found = measure(played)
    assert found.integrated_lufs == pytest.approx(wanted_lufs, abs=tolerance)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1.0
    assert torch.equal(played.samples, result.played.samples)
    assert result.loudness.integrated_lufs == found.integrated_lufs
    assert not (played.samples.abs() >= 0.999).any()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a.wav", "b.wav", "c.wav"))
    for path, seed in ((first, 7), (second, 7), (other, 8)):
        write_master(music(), path, MasterRequest(seed=seed), encode=EncodeOptions("wav"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_mono_and_other_rates_are_kept(tmp_path: Path) -> None:
    sound = music(sample_rate=48_000)
    mono = Audio(sound.samples[:1], 48_000)
    write_master(mono, tmp_path / "mono.wav", MasterRequest(), encode=EncodeOptions("wav", 24))
    played = decode(tmp_path / "mono.wav")
    assert (played.channels, played.sample_rate) == (1, 48_000)
    assert played.length_samples == mono.length_samples


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"loudness_lufs": 0.0}, "loudness 0 LUFS"),
        ({"loudness_lufs": math.nan}, "loudness nan LUFS"),
        ({"true_peak_dbtp": 1.0}, "true peak 1 dBTP"),
    ],
)
def test_values_that_make_no_sense_are_named(values: dict[str, float], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        MasterRequest(**values)  # type: ignore[arg-type]


def test_an_unwritable_file_fails_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        write_master(music(), tmp_path, MasterRequest(), encode=EncodeOptions("wav"))


@pytest.mark.parametrize("format_", ["mp3", "ogg"])
def test_the_lowest_ceiling_is_kept_by_encoders_that_move_peaks(
    tmp_path: Path, format_: FormatName
) -> None:
    request = MasterRequest(-20.0, true_peak_dbtp=-9.0)
    result = write_master(music(0.9), tmp_path / "song", request, encode=EncodeOptions(format_))
    assert result.loudness.true_peak_dbtp is not None
    assert result.loudness.true_peak_dbtp <= -9.0
    assert result.loudness.integrated_lufs == pytest.approx(-20, abs=0.5)


def test_the_quietest_loudness_is_reached_where_the_first_file_misses(tmp_path: Path) -> None:
    sample_rate = 8_000
    sound = 0.02 * torch.randn(2, 4 * sample_rate, generator=seeded(0))
    sound[:, sample_rate] = 1.0  # a click that the encoder makes higher
    request = MasterRequest(-36.0, -9.0)
    result = write_master(
        Audio(sound, sample_rate), tmp_path / "song.ogg", request, encode=EncodeOptions("ogg")
    )
    assert result.loudness.integrated_lufs == pytest.approx(-36, abs=0.5)
    assert result.loudness.true_peak_dbtp is not None
    assert result.loudness.true_peak_dbtp <= -9.0


def test_a_loss_by_the_encoder_is_compensated(tmp_path: Path) -> None:
    noise = Audio(0.1 * torch.randn(2, 4 * RATE_HZ, generator=seeded(1)), RATE_HZ)
    result = write_master(
        noise,
        tmp_path / "song.mp3",
        MasterRequest(-12.0),
        encode=EncodeOptions("mp3", bitrate_kbps=128),
    )
    assert result.rounds > 1
    assert result.loudness.integrated_lufs == pytest.approx(-12, abs=0.3)
    assert result.notes == ()


def test_heavy_limiting_is_noted_and_excuses_no_other_loudness(tmp_path: Path) -> None:
    at = torch.arange(6 * RATE_HZ) / RATE_HZ
    beat = torch.exp(-6 * (at % 0.5)) * torch.randn(len(at), generator=seeded(2))
    sound = Audio(0.2 * beat.expand(2, -1), RATE_HZ)
    encode = EncodeOptions("mp3", bitrate_kbps=64)
    result = write_master(sound, tmp_path / "song.mp3", MasterRequest(-13.0), encode=encode)
    assert 9 < result.limiting_db < 12
    assert result.notes == (f"its highest peak is limited by {result.limiting_db:.1f} dB",)
    assert result.loudness.integrated_lufs == pytest.approx(-13, abs=0.3)


def test_a_note_names_the_wanted_loudness_and_that_of_the_file(tmp_path: Path) -> None:
    clicks = 0.002 * torch.randn(2, 4 * RATE_HZ, generator=seeded(1))
    clicks[:, ::44_100] = 0.5
    sound, request = Audio(clicks, RATE_HZ), MasterRequest(-9.0)
    result = write_master(sound, tmp_path / "song.mp3", request, encode=EncodeOptions("mp3"))
    assert result.loudness.integrated_lufs is not None
    assert result.loudness.integrated_lufs < -9.5
    (note,) = result.notes
    assert note.startswith(f"it reaches {result.loudness.integrated_lufs:.1f} LUFS instead of -9,")


@pytest.mark.parametrize("format_", ["wav", "mp3", "ogg"])
def test_no_sound_is_no_file(tmp_path: Path, format_: FormatName) -> None:
    target = tmp_path / "song"
    with pytest.raises(InvalidInput, match=f"^{target}: "):
        write_master(
            Audio(torch.zeros(2, 0), RATE_HZ),
            target,
            MasterRequest(),
            encode=EncodeOptions(format_),
        )
    assert not list(tmp_path.iterdir())


def test_limiting_of_a_sound_without_loudness_is_noted() -> None:
    done = mastered(Audio(torch.ones(2, 4_410), RATE_HZ), MasterRequest())
    assert done.limiting_db > 1
    peak = true_peak_dbtp(done.audio)
    assert peak is not None
    assert peak <= -1.0


@pytest.mark.parametrize("offset", [0.2, -0.35])
def test_an_offset_costs_neither_loudness_nor_headroom(tmp_path: Path, offset: float) -> None:
    sound, request = music(0.6), MasterRequest(-9.0)
    shifted = Audio(sound.samples + torch.tensor([[offset], [offset / 2]]), RATE_HZ)
    plain, done = mastered(sound, request), mastered(shifted, request)
    assert done.limiting_db == pytest.approx(plain.limiting_db, abs=0.05)
    assert done.gain_db == pytest.approx(plain.gain_db, abs=0.05)
    assert torch.allclose(done.audio.samples, plain.audio.samples, rtol=0, atol=0.01)
    assert done.notes[0] == "its DC offset is removed"
    assert "offset" not in " ".join(plain.notes)
    result = write_master(shifted, tmp_path / "a.wav", request, encode=EncodeOptions("wav", 24))
    assert float(result.played.samples.mean(1).abs().max()) < 0.002
    assert result.notes[0] == "its DC offset is removed"


@pytest.mark.parametrize("compression", [None, Compression()])
@pytest.mark.parametrize("level_db", [-70.0, -90.0])
def test_faint_music_is_raised_on_request(
    tmp_path: Path, level_db: float, compression: Compression | None
) -> None:
    faint = music(10 ** (level_db / 20))
    assert integrated_lufs(faint) is None
    plain = mastered(faint, MasterRequest(compression=compression))
    assert plain.gain_db == 0
    assert compression or torch.equal(plain.audio.samples, faint.samples)
    (note,) = plain.notes
    assert "its level stays" in note
    assert "--raise-quiet" in note
    request = MasterRequest(compression=compression, raise_quiet=True)
    done = mastered(faint, request)
    assert integrated_lufs(done.audio) == pytest.approx(-14.0, abs=0.05)
    loud = mastered(music(), MasterRequest(compression=compression))
    assert done.gain_db == pytest.approx(loud.gain_db + 20 * math.log10(0.2) - level_db, abs=0.2)
    assert done.notes[0].startswith("raised from ")
    result = write_master(faint, tmp_path / "a.flac", request, encode=EncodeOptions("flac"))
    assert result.loudness.integrated_lufs == pytest.approx(-14.0, abs=0.1)


@pytest.mark.parametrize("length", [1_000, 4 * RATE_HZ])
def test_silence_is_not_raised(length: int) -> None:
    for level in (0.0, 1e-8):
        silent = Audio(torch.full((2, length), level), RATE_HZ)
        silent.samples[:, ::2] *= -1
        done = mastered(silent, MasterRequest(raise_quiet=True))
        assert torch.equal(done.audio.samples, silent.samples)
        assert "silent or too short" in done.notes[-1]


def test_loud_music_is_the_same_with_and_without_raising() -> None:
    loud = [mastered(music(), MasterRequest(raise_quiet=one)) for one in (False, True)]
    assert torch.equal(loud[0].audio.samples, loud[1].audio.samples)
    assert loud[0].notes == loud[1].notes


def test_audio_without_an_offset_is_mastered_as_it_is() -> None:
    sound = music(0.2)
    gained = sound.samples * 10 ** (mastered(sound, MasterRequest(-23.0)).gain_db / 20)
    assert torch.allclose(mastered(sound, MasterRequest(-23.0)).audio.samples, gained, atol=1e-7)
