from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from mashup_worker.audio.resample import StreamResampler, resample, resampled_length
from mashup_worker.audio.signal import Audio
from tests.unit.audio_fixtures import music, snr_db

RATES_HZ = [8000, 22050, 44100, 48000, 96000, 192000]


def in_pieces(
    audio: Audio, sample_rate: int, sizes: list[int], length_samples: int | None = None
) -> torch.Tensor:
    stream = StreamResampler(
        audio.sample_rate, sample_rate, audio.channels, length_samples=length_samples
    )
    pieces: list[torch.Tensor] = []
    start = 0
    while start < audio.length_samples:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream.process(audio.read(start, start + size)))
        start += size
    pieces.append(stream.process(audio.read(0, 0), last=True))
    return torch.cat(pieces, 1)


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(0, 9000),
    from_hz=st.sampled_from(RATES_HZ),
    to_hz=st.sampled_from(RATES_HZ),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=3),
)
def test_pieces_add_up_to_the_whole(
    length: int, from_hz: int, to_hz: int, sizes: list[int]
) -> None:
    audio = Audio(music(1.2, from_hz).samples[:, :length], from_hz)
    whole = resample(audio, to_hz)
    assert whole.length_samples == resampled_length(length, from_hz, to_hz)
    assert torch.allclose(in_pieces(audio, to_hz, sizes), whole.samples, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, 5000), middle_hz=st.sampled_from(RATES_HZ))
def test_round_trip_keeps_the_length(length: int, middle_hz: int) -> None:
    audio = Audio(torch.zeros(1, length), 48000)
    middle = resample(audio, middle_hz)
    back = resample(middle, 48000, length_samples=length)
    assert back.samples.shape == audio.samples.shape
    streamed = in_pieces(middle, 48000, [700], length_samples=length)
    assert streamed.shape == audio.samples.shape


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 44100), (44100, 48000), (96000, 48000)])
def test_agrees_with_a_windowed_sinc_sample_for_sample(from_hz: int, to_hz: int) -> None:
    audio = Audio(music(1.0, from_hz).samples * torch.hann_window(from_hz), from_hz)
    low = Audio(resample(resample(audio, 16000), from_hz).samples, from_hz)
    reference = resample_poly(
        low.samples.double().numpy(), to_hz // 300, from_hz // 300, axis=1, window=("kaiser", 14.0)
    )
    assert snr_db(torch.from_numpy(reference), resample(low, to_hz).samples) > 60


def test_a_click_keeps_its_time() -> None:
    audio = Audio(torch.zeros(1, 48000), 48000)
    audio.samples[0, 24000] = 1.0
    assert int(resample(audio, 44100).samples.argmax()) == 22050
    assert int(resample(audio, 96000).samples.argmax()) == 48000


def test_a_round_trip_keeps_frequencies_below_both_limits() -> None:
    times = torch.arange(48000).double() / 48000
    tone = 0.5 * torch.sin(2 * torch.pi * 5000 * times) * torch.hann_window(48000)
    audio = Audio(tone[None].float(), 48000)
    back = resample(resample(audio, 44100), 48000, length_samples=48000)
    assert snr_db(audio.samples, back.samples) > 90


def test_equal_rates_return_the_same_memory() -> None:
    audio = music()
    assert resample(audio, 44100).samples.data_ptr() == audio.samples.data_ptr()
    assert torch.equal(in_pieces(audio, 44100, [1000]), audio.samples)


def test_equal_rates_respect_the_wanted_length() -> None:
    audio = music(0.1)
    assert resample(audio, 44100, length_samples=100).length_samples == 100
    longer = resample(audio, 44100, length_samples=5000).samples
    assert torch.equal(longer[:, :4410], audio.samples)
    assert not longer[:, 4410:].any()
