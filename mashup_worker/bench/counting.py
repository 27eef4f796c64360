"""Count the operations and bytes of one segment on the reference network.

Operations are those of convolutions, matrix products, attention and Fourier transforms; all others
are below a hundredth of them. Attention counts in full for any kernel, because torch's own table
lacks that of the CPU.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

from mashup_worker.bench.results import Counts
from mashup_worker.models import lstm
from mashup_worker.models.network import SeparationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

_ATEN = torch.ops.aten
_KINDS = {"convolution": "convolutions", "_scaled_dot": "attention", "_fft": "Fourier transforms"}


def count(networks: Sequence[nn.Module], overlap: float = 0.25) -> Counts:
    """Count the work of a segment when all `networks` run it one by one in fp32.

    The networks, of the `demucs` package or of this one, run once on the CPU.
    """
    operations: Counter[str] = Counter()
    traffic = _Traffic()
    first: Any = networks[0]
    segment_s = stride_s = float(first.segment) if hasattr(first, "segment") else 0.0
    stride_s *= 1 - overlap
    if isinstance(first, SeparationNetwork):
        rate = first.profile.sample_rate
        segment_s = first.profile.segment_samples / rate
        stride_s = first.profile.cut.stride_samples / rate
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it hides its products in one operator
    try:
        for network in networks:
            sound = _segment(network)
            counter = FlopCounterMode(display=False, custom_mapping=_MAPPING)
            with torch.no_grad(), counter, traffic:
                network(sound)
            for operator, made in counter.get_flop_counts().get("Global", {}).items():
                operations[_kind(operator)] += made
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return Counts(
        segment_s=segment_s,
        stride_s=stride_s,
        operations={kind: float(made) for kind, made in operations.most_common()},
        weight_bytes=sum(
            tensor.nbytes for network in networks for tensor in network.state_dict().values()
        ),
        fused_bytes=traffic.fused_bytes,
        eager_bytes=traffic.eager_bytes,
    )


def _segment(network: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(network, SeparationNetwork):
        profile = network.profile
        valid = profile.window_length(profile.segment_samples)
        return torch.randn(1, profile.channels, valid, generator=generator)
    samples = int(network.samplerate * network.segment)
    valid = getattr(network, "valid_length", int)(samples)
    return torch.randn(1, network.audio_channels, valid, generator=generator)


def _kind(operator: object) -> str:
    name = str(operator).removeprefix("aten.")
    return next((kind for sign, kind in _KINDS.items() if name.startswith(sign)), "products")


class _Traffic(TorchDispatchMode):
    """Bytes that operators read and write; views count as none.

    Attributes:
        eager_bytes: bytes of all operators.
        fused_bytes: bytes of the operators that are counted as operations.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.eager_bytes = 0
        self.fused_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator and count its bytes."""
        made = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if not func.is_view and packet not in _MOVES_NOTHING:
            tensors = [one for one in tree_leaves((args, kwargs, made)) if _is_tensor(one)]
            moved = sum(one.numel() * one.element_size() for one in tensors)
            self.eager_bytes += moved
            if packet in flop_registry or packet in _MAPPING:
                self.fused_bytes += moved
        return made


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


_MOVES_NOTHING = {_ATEN.empty, _ATEN.empty_like, _ATEN.empty_strided, _ATEN._local_scalar_dense}


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _transform(
    shape: Sequence[int], axes: Sequence[int], *_: Any, out_shape: Any = None, **__: Any
) -> int:
    """Return 2.5 N log2 N for each real transform of N samples (Johnson and Frigo, 2007)."""
    frame = max(int(shape[axes[0]]), int(out_shape[axes[0]]) if out_shape else 0)
    return int(2.5 * frame * math.log2(frame) * math.prod(shape) / shape[axes[0]])


def _lstm(sequences: Sequence[int], weights: Sequence[Sequence[int]], *_: Any, **__: Any) -> int:
    """Return the operations of the products of one layer in both directions."""
    steps, count, _channels = sequences
    return 2 * steps * count * sum(math.prod(one) for one in weights if len(one) == 2)


_MAPPING = {
    _ATEN._scaled_dot_product_flash_attention_for_cpu: _attention,
    _ATEN._fft_r2c: _transform,
    _ATEN._fft_c2r: _transform,
    lstm.OPERATOR: _lstm,
}
