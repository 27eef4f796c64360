"""A profiler for the fake device: launches last as long as the CPU takes for them."""

from __future__ import annotations

from types import SimpleNamespace, TracebackType
from typing import Any

from tests.fake_cuda import operators


class Profile:
    """Stands in for `torch.profiler.profile`."""

    def __init__(self, **_options: Any) -> None:
        self._kernels: list[tuple[str, float, float]] = []

    def __enter__(self) -> Profile:
        operators.KERNELS = self._kernels
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        operators.KERNELS = None

    def events(self) -> list[SimpleNamespace]:
        """Return one event for each launch, with times in microseconds."""
        return [
            SimpleNamespace(
                name=name,
                device_type="DeviceType.CUDA",
                is_user_annotation=False,
                time_range=SimpleNamespace(start=1e6 * start, end=1e6 * end),
            )
            for name, start, end in self._kernels
        ]
