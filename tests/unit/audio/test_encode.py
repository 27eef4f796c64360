from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import check_fits, open_writer
from mashup_worker.audio.formats import EncodeOptions, encode_options
from mashup_worker.audio.probe import probe
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.system.files import atomic_path
from mashup_worker.vocabulary import FORMATS, FormatName
from tests.unit.audio_fixtures import music, snr_db

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = [
    EncodeOptions(name, depth) for name, format_ in FORMATS.items() for depth in format_.bit_depths
]


def encode(path: Path, audio: Audio, options: EncodeOptions, size: int = 30_000) -> None:
    """Write in pieces."""
    with open_writer(
        path, options, sample_rate=audio.sample_rate, channels=audio.channels
    ) as writer:
        for start in range(0, audio.length_samples, size):
            writer.write(audio.samples[:, start : start + size])


def silence(length: int, sample_rate: int = 44100, channels: int = 2) -> Audio:
    """Silence of any length in the memory of one sample."""
    return Audio(torch.zeros(1, 1).expand(channels, length), sample_rate)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def file_limit() -> Iterator[None]:
    """No file may grow beyond 64 KiB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("options", ALL, ids=lambda o: f"{o.format}{o.bit_depth}")
def test_every_format_comes_back_with_its_length_in_its_place(
    options: EncodeOptions, channels: int, tmp_path: Path
) -> None:
    audio = music(2.3, 44100, channels)
    path = tmp_path / f"a.{options.format}"
    encode(path, audio, options)
    got = decode(path)
    assert got.samples.shape == audio.samples.shape
    least_db = {"flac16": 80, "flac24": 130, "wav16": 80, "wav24": 130, "wav32": 200}
    wanted_db = least_db.get(f"{options.format}{options.bit_depth}", 15)
    assert snr_db(audio.samples, got.samples) > wanted_db
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("sample_rate", [8000, 48000, 192000])
@pytest.mark.parametrize("length", [1, 80, 1152, 5000])
def test_short_sounds_at_any_rate(
    format_: FormatName, sample_rate: int, length: int, tmp_path: Path
) -> None:
    audio = Audio(music(1.0, sample_rate, 1).samples[:, :length], sample_rate)
    encode(tmp_path / "a", audio, EncodeOptions(format_))
    got = decode(tmp_path / "a")
    if format_ == "mp3" and sample_rate == 192000:
        assert got.sample_rate == 48000
        assert got.length_samples == max(1, (2 * length + 4) // 8)
    else:
        assert (got.sample_rate, got.length_samples) == (sample_rate, length)


@pytest.mark.parametrize(("bit_depth", "subtype"), [(16, "PCM_16"), (24, "PCM_24")])
@pytest.mark.parametrize("format_", ["wav", "flac"])
def test_integers_are_rounded_to_the_nearest_and_never_wrap(
    format_: FormatName, bit_depth: int, subtype: str, tmp_path: Path
) -> None:
    step = 2.0 ** (1 - bit_depth)
    values = torch.tensor([[0.0, 0.4 * step, 0.6 * step, -0.6 * step, 1 - step, -1.0, 1.5, -1.5]])
    options = EncodeOptions(format_, bit_depth)
    encode(tmp_path / "a", Audio(values, 44100), options)
    assert soundfile.info(tmp_path / "a").subtype == subtype
    written, _ = soundfile.read(tmp_path / "a")
    expected = [0.0, 0.0, step, -step, 1 - step, -1.0, 1 - step, -1.0]
    assert written.tolist() == expected


@pytest.mark.parametrize(
    "options", [o for o in ALL if o.lossless], ids=lambda o: f"{o.format}{o.bit_depth}"
)
def test_the_greatest_peak_is_stored_exactly(options: EncodeOptions, tmp_path: Path) -> None:
    limit = options.max_peak
    peak = 1.7 if limit is None else limit
    audio = Audio(torch.tensor([[peak, -peak, 0.0]]), 44100)
    encode(tmp_path / "a", audio, options)
    assert torch.equal(decode(tmp_path / "a").samples, audio.samples)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_failure_leaves_no_new_file_and_keeps_the_old_one(
    format_: FormatName, tmp_path: Path
) -> None:
    target = tmp_path / f"a.{format_}"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with open_writer(target, EncodeOptions(format_), sample_rate=44100, channels=2) as writer:
            writer.write(music(1.0).samples)
            assert len(names(tmp_path)) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == [target.name]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_appears_only_when_it_is_complete(format_: FormatName, tmp_path: Path) -> None:
    target = tmp_path / "new" / f"a.{format_}"
    with open_writer(target, EncodeOptions(format_), sample_rate=44100, channels=2) as writer:
        writer.write(music(0.5).samples)
        assert not target.exists()
    assert probe(target).claimed_duration_s == pytest.approx(0.5)


@pytest.mark.usefixtures("file_limit")
@pytest.mark.parametrize("options", ALL, ids=lambda o: f"{o.format}{o.bit_depth}")
@pytest.mark.parametrize("duration_s", [2.2, 6.0])
def test_a_full_disk_is_an_error_and_leaves_no_file(
    options: EncodeOptions, duration_s: float, tmp_path: Path
) -> None:
    noise = Audio(torch.rand(2, round(44100 * duration_s)) - 0.5, 44100)
    target = tmp_path / f"a.{options.format}"
    with pytest.raises(StorageFailed, match=rf"a\.{options.format}.*File too large"):
        encode(target, noise, options)
    assert not names(tmp_path)


@pytest.mark.usefixtures("file_limit")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_disk_that_fills_up_with_the_last_bytes(format_: FormatName, tmp_path: Path) -> None:
    # Encoders hold bytes back until they are closed. A search for the longest file that fits ends
    # with files of which only those bytes are lost.
    target, fits, too_long = tmp_path / "a", 1_000, 300_000
    while too_long - fits > 100:
        length = (fits + too_long) // 2
        noise = Audio(torch.rand(2, length) - 0.5, 44100)
        try:
            encode(target, noise, EncodeOptions(format_))
        except StorageFailed:
            too_long = length
        else:
            assert decode(target).length_samples == length
            fits = length
    assert 10_000 < fits < too_long < 200_000


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    target = tmp_path / "file" / "a.flac"
    with pytest.raises(StorageFailed, match=r"a\.flac"):
        encode(target, music(0.1), EncodeOptions())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match=r"a\.flac: Permission denied"):
        encode(tmp_path / "a.flac", music(0.1), EncodeOptions())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"format": "xyz"}, "choose flac, wav"),
        ({"format": "flac", "bit_depth": 32}, "choose 16 or 24"),
        ({"format": "wav", "bit_depth": 8}, "choose 16, 24 or 32"),
        ({"format": "mp3", "bit_depth": 24}, "bit depth 24|bit depth 32"),
        ({"format": "ogg", "bit_depth": 32}, "bit depth 24|bit depth 32"),
        ({"format": "wav", "bitrate_kbps": 128}, "bitrate 128"),
        ({"format": "mp3", "bitrate_kbps": 100}, "320"),
        ({"format": "ogg", "bitrate_kbps": 9}, "64 to 500"),
    ],
)
def test_unsupported_options_are_an_error(options: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        EncodeOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
def test_the_extension_names_the_format(name: FormatName) -> None:
    options = encode_options(Path(f"song.{name.upper()}"))
    assert (options.format, options.bit_depth) == (name, FORMATS[name].bit_depths[0])
    assert options.lossless is (len(FORMATS[name].bitrates_kbps) == 0)
    with pytest.raises(InvalidInput, match=rf"song\.xyz: .*\.{name}"):
        encode_options(Path("song.xyz"))


@pytest.mark.parametrize("format_", ["mp3", "ogg"])
def test_the_bitrate_determines_the_size(format_: FormatName, tmp_path: Path) -> None:
    audio = Audio(0.3 * torch.randn(2, 44100 * 3), 44100)
    sizes = []
    for bitrate in (64, 128, 320):
        encode(tmp_path / "a", audio, EncodeOptions(format_, bitrate_kbps=bitrate))
        sizes.append((tmp_path / "a").stat().st_size)
        if format_ == "mp3":
            assert probe(tmp_path / "a").sample_rate == 44100
            assert sizes[-1] == pytest.approx(bitrate * 125 * 3, rel=0.05)
    assert sizes == sorted(sizes)
    assert sizes[2] > 2 * sizes[0]


@pytest.mark.parametrize(
    ("format_", "channels", "sample_rate"),
    [
        ("mp3", 3, 44100),
        ("flac", 9, 44100),
        ("flac", 2, 768_000),
        ("ogg", 256, 44100),
        ("ogg", 2, 352_800),
    ],
)
def test_rates_and_channels_beyond_a_format_are_an_error(
    format_: FormatName, channels: int, sample_rate: int, tmp_path: Path
) -> None:
    audio, options = Audio(torch.zeros(channels, 100), sample_rate), EncodeOptions(format_)
    with pytest.raises(InvalidInput, match=f"{channels} channels at {sample_rate} Hz"):
        encode(tmp_path / "a", audio, options)
    with pytest.raises(InvalidInput, match=f"{channels} channels at {sample_rate} Hz"):
        check_fits(tmp_path / "a", audio, options)
    assert not names(tmp_path)


@pytest.mark.parametrize("options", ALL, ids=lambda o: f"{o.format}{o.bit_depth}")
def test_sounds_that_can_be_written_fit(options: EncodeOptions, tmp_path: Path) -> None:
    for channels in (1, 2):
        for sample_rate in (1000, 44100, 192_000):
            check_fits(tmp_path / "a", silence(0, sample_rate, channels), options)
            check_fits(tmp_path / "a", silence(60 * sample_rate, sample_rate, channels), options)
    assert not names(tmp_path)


@pytest.mark.parametrize("bit_depth", [16, 24, 32])
def test_only_wav_is_full_at_4_gib(bit_depth: int, tmp_path: Path) -> None:
    whole = (1 << 32) // (2 * bit_depth // 8)
    wav = EncodeOptions("wav", bit_depth)
    check_fits(tmp_path / "a", silence(whole - 4096), wav)
    check_fits(tmp_path / "a", silence(2 * whole), EncodeOptions("flac"))
    with pytest.raises(InvalidInput, match=r"4 GiB"):
        check_fits(tmp_path / "a", silence(whole), wav)


def test_a_long_vorbis_in_one_write(tmp_path: Path) -> None:
    audio = Audio(music(1.0).samples.repeat(1, 40), 44100)
    encode(tmp_path / "a.ogg", audio, EncodeOptions("ogg"), size=audio.length_samples)
    assert probe(tmp_path / "a.ogg").claimed_duration_s == 40


def test_the_same_samples_give_the_same_file(tmp_path: Path) -> None:
    for options in (EncodeOptions("flac"), EncodeOptions("wav"), EncodeOptions("mp3")):
        encode(tmp_path / "a", music(1.0), options, size=1000)
        encode(tmp_path / "b", music(1.0), options, size=44100)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_atomic_path_renames_the_written_file(tmp_path: Path) -> None:
    target = tmp_path / "folder" / ("long name " * 24 + ".json")
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text(f"half{1 / 0}")
    assert target.read_text() == "whole"
    assert names(target.parent) == [target.name]
