"""Operations and bytes of a network, against sums by hand."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mashup_worker.bench.counting import count
from mashup_worker.bench.results import Limit
from mashup_worker.models.lstm import BidirectionalLstm

RATE_HZ, SAMPLES, CHANNELS = 64, 128, 2


class Piece(nn.Module):
    """What a network needs that is counted: two seconds of stereo at 64 Hz."""

    samplerate, segment, audio_channels = RATE_HZ, 2, CHANNELS

    def __init__(self, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, sound: Tensor) -> Tensor:
        assert self.inner is not None
        return cast("Tensor", self.inner(sound))


class Attention(Piece):
    def forward(self, sound: Tensor) -> Tensor:
        heads = sound.reshape(1, CHANNELS, 16, 8)
        return F.scaled_dot_product_attention(heads, heads, heads)


class Transform(Piece):
    def forward(self, sound: Tensor) -> Tensor:
        return cast("Tensor", torch.fft.irfft(torch.fft.rfft(sound)))


def test_a_product() -> None:
    counts = count([Piece(nn.Linear(SAMPLES, 10))])
    assert counts.operations == {"products": 2 * CHANNELS * SAMPLES * 10}
    weights = 4 * (SAMPLES * 10 + 10)
    assert counts.weight_bytes == weights
    assert counts.fused_bytes == weights + 4 * (CHANNELS * SAMPLES + CHANNELS * 10)
    assert (counts.segment_s, counts.stride_s) == (2, 1.5)


def test_a_convolution_and_its_successor_in_memory() -> None:
    convolution = nn.Conv1d(CHANNELS, 5, 3, padding=1, bias=False)
    counts = count([Piece(nn.Sequential(convolution, nn.ReLU()))])
    assert counts.operations == {"convolutions": 2 * SAMPLES * 5 * CHANNELS * 3}
    made = 4 * 5 * SAMPLES
    assert counts.fused_bytes == 4 * (CHANNELS * SAMPLES + 5 * CHANNELS * 3) + made
    assert counts.eager_bytes == counts.fused_bytes + 2 * made


def test_attention_counts_whichever_kernel_computes_it() -> None:
    counts = count([Attention()])
    assert counts.operations == {"attention": 2 * CHANNELS * 2 * 16 * 16 * 8}


def test_the_products_of_a_transformer_layer_are_not_hidden() -> None:
    layer = nn.TransformerEncoderLayer(SAMPLES, 2, 32, dropout=0, batch_first=True).eval()
    counts = count([Piece(layer)])
    projections = 4 * SAMPLES * SAMPLES + 2 * SAMPLES * 32
    assert counts.operations["products"] == 2 * CHANNELS * projections
    assert counts.operations["attention"] == 2 * 2 * CHANNELS * CHANNELS * SAMPLES


def test_the_products_of_a_recurrent_layer_in_both_directions() -> None:
    layer = BidirectionalLstm(nn.LSTM(SAMPLES, 3, bidirectional=True).requires_grad_(False))
    counts = count([Piece(layer)])
    assert counts.operations == {"products": 2 * 2 * CHANNELS * 4 * 3 * (SAMPLES + 3)}


def test_transforms_and_views() -> None:
    counts = count([Transform()])
    assert counts.operations == {"Fourier transforms": 2 * CHANNELS * 2.5 * SAMPLES * 7}
    assert count([Piece(nn.Flatten())]).eager_bytes == 0


def test_networks_add_up() -> None:
    one, two = count([Piece(nn.Linear(SAMPLES, 10))]), count([Piece(nn.Linear(SAMPLES, 4))])
    both = count([Piece(nn.Linear(SAMPLES, 10)), Piece(nn.Linear(SAMPLES, 4))])
    assert both.operations["products"] == one.operations["products"] + two.operations["products"]
    assert both.fused_bytes == one.fused_bytes + two.fused_bytes


def test_the_limit_is_the_slower_of_products_and_traffic() -> None:
    counts = count([Piece(nn.Linear(SAMPLES, 10))])
    operations = counts.operations["products"]
    by_products = Limit(counts, {"fp32": 10.0 * operations, "bf16": 30.0 * operations}, 1e15)
    assert by_products.times_real_time("fp32") == pytest.approx(1.5 * 10)
    assert by_products.times_real_time("bf16") == pytest.approx(1.5 * 30)
    by_traffic = Limit(counts, {"fp32": 1e15, "bf16": 1e15}, 4.0 * counts.fused_bytes)
    assert by_traffic.times_real_time("fp32") == pytest.approx(1.5 * 4)
    assert by_traffic.times_real_time("bf16") == pytest.approx(1.5 * 8)
