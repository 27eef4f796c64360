"""A tensor that is on the fake device: its numbers are those of a tensor on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tests.fake_cuda.findings import LOCK
from tests.fake_cuda.memory import MEMORY

if TYPE_CHECKING:
    from tests.fake_cuda.streams import Stream


class CudaTensor(torch.Tensor):
    """A tensor whose device is `cuda:0`.

    Attributes:
        inner: the tensor on the CPU that holds the numbers.
        block: the memory of the device that the tensor occupies.
    """

    inner: torch.Tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> CudaTensor:
        made: CudaTensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device("cuda", 0),
        )
        return made

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner
        with LOCK:
            self.block = MEMORY.block(inner)

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        from tests.fake_cuda.operators import dispatch

        return dispatch(func, args, kwargs or {})

    def __repr__(self, **_options: Any) -> str:  # type: ignore[override]
        return f"CudaTensor({self.inner!r})"

    def __deepcopy__(self, _memo: Any) -> CudaTensor:
        return self.clone()  # type: ignore[return-value]

    def record_stream(self, stream: Stream) -> None:  # type: ignore[override]
        self.block.used_on.add(stream.id)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @property
    def data(self) -> torch.Tensor:  # type: ignore[override]
        return self.detach()

    @data.setter
    def data(self, _value: torch.Tensor) -> None:
        raise NotImplementedError("the fake device does not replace a tensor's memory")
