"""Files to files on a GPU: songs that stay on the device, and songs too large for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.separation import on_device, separate
from mashup_worker.pipelines.separation.in_flight import completed
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from tests.engines import music
from tests.gpu.networks import LEAST_DB, assert_near, silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mashup_worker.models.engine import NetworkSeparator
    from mashup_worker.pipelines.separation.separate import SeparateResult
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu


def mono(audio: Audio) -> Audio:
    return Audio(audio.samples[:1], audio.sample_rate)


@dataclass(frozen=True)
class Case:
    """A song, the format of its stems, and how far their values may be from the CPU's.

    One step of 16 bits; in finer formats 100 dB below full scale, because libraries add up in
    another order.
    """

    song: Audio
    encode: EncodeOptions
    tolerance: float = 1.01 / 2**15

    @property
    def targets(self) -> tuple[str, ...]:
        return ("drums", "vocals", "no_vocals")


CASES = {
    "flac 16": Case(music(0.8), EncodeOptions("flac", 16)),
    "flac 24": Case(music(0.5), EncodeOptions("flac", 24), 1e-5),
    "wav float mono": Case(mono(music(0.5)), EncodeOptions("wav", 32), 1e-5),
    "48 kHz": Case(Audio(music(0.5).samples, 48_000), EncodeOptions("flac", 16)),
    "22 kHz mono": Case(mono(Audio(music(0.2).samples, 22_050)), EncodeOptions("wav", 32), 1e-5),
    "silence": Case(silence(0.4), EncodeOptions("flac", 16), 0.0),
    "shorter than a segment": Case(music(0.1), EncodeOptions("wav", 32), 1e-5),
    "clipping": Case(Audio(30 * music(0.5).samples, 44_100), EncodeOptions("flac", 16)),
}


@pytest.fixture
def keep_on_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Let every song fit the device, a CPU too, or none."""

    def keep(fits: bool) -> None:
        monkeypatch.setattr(separate, "fits", lambda *_: fits)

    return keep


def separated(separator: NetworkSeparator, case: Case, folder: Path) -> SeparateResult:
    folder.mkdir(parents=True)
    song = folder / "song.wav"
    soundfile.write(song, case.song.samples.T.numpy(), case.song.sample_rate, subtype="FLOAT")
    targets = {kind: folder / f"{kind}.{case.encode.format}" for kind in case.targets}
    return separate_file(separator, SeparateRequest(song, targets, case.encode))


def assert_same_files(made: SeparateResult, expected: SeparateResult, tolerance: float) -> None:
    assert made.shared_gain_db == pytest.approx(expected.shared_gain_db, abs=1e-3)
    for mine, theirs in zip(made.stems, expected.stems, strict=True):
        (got, sample_rate), (wanted, wanted_hz) = (
            soundfile.read(stem.path, always_2d=True) for stem in (mine, theirs)
        )
        assert (mine.kind, sample_rate, got.shape) == (theirs.kind, wanted_hz, wanted.shape)
        assert abs(got - wanted).max() <= tolerance
        if theirs.loudness_lufs is None:
            assert mine.loudness_lufs is None
        else:
            assert mine.loudness_lufs == pytest.approx(theirs.loudness_lufs, abs=0.01)


@pytest.mark.parametrize("name", CASES)
def test_files_are_those_of_the_cpu(
    name: str,
    warm: Callable[[str], NetworkSeparator],
    on_cpu: NetworkSeparator,
    keep_on_device: Callable[[bool], None],
    tmp_path: Path,
) -> None:
    """On both paths, which resample in ways of their own; at the model's rate both are equal."""
    case = CASES[name]
    made = {}
    for fits in (True, False):
        keep_on_device(fits)
        folder = tmp_path / f"fits {fits}"
        made[fits] = separated(warm("fp32"), case, folder / "gpu")
        expected = separated(on_cpu, case, folder / "cpu")
        assert (expected.shared_gain_db < 0) == (name == "clipping")
        assert_same_files(made[fits], expected, case.tolerance)
    if case.song.sample_rate == on_cpu.sample_rate:
        assert_same_files(made[True], made[False], case.tolerance)


@pytest.mark.parametrize("fits", [True, False])
def test_files_with_an_exact_sum_add_up_to_the_song(
    fits: bool,
    warm: Callable[[str], NetworkSeparator],
    keep_on_device: Callable[[bool], None],
    tmp_path: Path,
) -> None:
    keep_on_device(fits)
    separator, song = warm("fp32"), tmp_path / "song.wav"
    soundfile.write(song, music(0.7).samples.T.numpy(), 44_100, subtype="PCM_16")
    targets = {kind: tmp_path / f"{kind}.flac" for kind in separator.stems}
    made = separate_file(separator, SeparateRequest(song, targets, sum_exact=True))
    assert not made.shared_gain_db
    stems = [soundfile.read(stem.path, dtype="int16")[0].astype(int) for stem in made.stems]
    assert (sum(stems) == soundfile.read(song, dtype="int16")[0]).all()


def test_a_song_stays_on_the_device_as_long_as_it_takes_a_small_share_of_its_memory(
    warm: Callable[[str], NetworkSeparator],
    on_cpu: NetworkSeparator,
    device_budget: DeviceBudget,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The host waits for the level, the end of the networks, the peak of the stems, each file."""
    case, on_gpu = CASES["flac 16"], warm("fp32")
    separated(on_gpu, case, tmp_path / "first")  # uploads the constants of all that follow
    with device_budget.limit(read=1, copy=1, wait=1 + len(case.targets)):
        there = separated(on_gpu, case, tmp_path / "device")
    monkeypatch.setattr(on_device, "_SHARE_OF_MEMORY", 1e-9)
    assert not on_device.fits(on_gpu, case.song, ())
    here = separated(on_gpu, case, tmp_path / "host")
    assert_same_files(there, here, case.tolerance)
    assert not on_device.fits(on_cpu, case.song, ())


def test_songs_in_flight_get_their_own_stems(
    warm: Callable[[str], NetworkSeparator], on_cpu: NetworkSeparator, tmp_path: Path
) -> None:
    """In the arithmetic that a GPU gets by default, as `mashup separate` runs them."""
    songs = {f"{seed}": music(0.4 + 0.2 * seed, seed=seed) for seed in range(3)}
    encode, on_gpu = EncodeOptions("wav", 32), warm("bf16")

    def work(name: str, _stop: object) -> SeparateResult:
        return separated(on_gpu, Case(songs[name], encode), tmp_path / name)

    for name, job in completed(songs, work, 3):
        expected = separated(on_cpu, Case(songs[name], encode), tmp_path / f"{name} cpu")
        for mine, theirs in zip(job.result().stems, expected.stems, strict=True):
            got, wanted = (
                torch.from_numpy(soundfile.read(stem.path, dtype="float32")[0])
                for stem in (mine, theirs)
            )
            assert_near(got, wanted, LEAST_DB["bf16"])
