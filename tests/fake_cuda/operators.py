"""Operators on the fake device: run on the CPU, checked as a device would."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from tests.fake_cuda.findings import FOUND, LOCK
from tests.fake_cuda.graphs import Step
from tests.fake_cuda.memory import MEMORY, Launch
from tests.fake_cuda.streams import TIMELINE, current_stream
from tests.fake_cuda.tensor import CudaTensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fake_cuda.findings import Kind
    from tests.fake_cuda.memory import Block

aten = torch.ops.aten

_INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)
"""Operators that take indices from the host."""

_SHAPED_BY_DATA = (
    *(aten.nonzero, aten.masked_select, aten.unique_dim, aten._unique2, aten.unique_consecutive),
    *(aten.bincount, aten.repeat_interleave, aten.equal, aten.is_nonzero),
)
"""Operators whose result needs a value of the device on the host."""

_CONVOLUTIONS = (aten.convolution,)
_MATRIX_PRODUCTS = (aten.mm, aten.bmm, aten.addmm, aten.baddbmm)

_KERNEL_KEYS = ("CUDA", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")

_has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key


def _cudnn_batch_norm(x: torch.Tensor, *rest: Any) -> Any:
    return (*torch.native_batch_norm(x, *rest), torch.empty(0, dtype=torch.uint8))


_ON_CPU = {aten.cudnn_batch_norm: _cudnn_batch_norm, aten._conj: torch.conj_physical}
"""Stand-ins for operators that only CUDA has, or that are lazy on the CPU."""

KERNELS: list[tuple[str, float, float]] | None = None
"""While a profiler runs, launches with start and end in seconds."""


class Watch(TorchDispatchMode):
    """Sends every operator of the thread that enters it through `dispatch`."""

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs or {})


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator that may concern the device."""
    leaves = tree_leaves((args, kwargs))
    ours = [leaf for leaf in leaves if isinstance(leaf, CudaTensor)]
    if not ours and not any(_is_cuda(leaf) for leaf in leaves):
        return _on_host(func, args, kwargs, leaves)
    if _has_kernel(func.name(), "CompositeImplicitAutograd"):
        with Watch():  # under inference mode it comes here whole
            made = func.decompose(*args, **kwargs)
        if made is not NotImplemented:
            return made
    packet = func.overloadpacket
    if packet is aten._to_copy:
        return _to_copy(func, args[0], kwargs)
    if packet is aten.copy_ and len(ours) == 1:
        return _copy_across(*args, **kwargs)
    if packet is aten._local_scalar_dense:
        _wait("read", "the host reads a value", ours)
        return func(args[0].inner)
    if torch.Tag.inplace_view in func.tags:
        with no_dispatch():
            func(*args, **kwargs)
        func(args[0].inner, *args[1:], **kwargs)
        return args[0]
    _check(func, args, leaves)
    if packet in _SHAPED_BY_DATA or (packet in _INDEXING and _has_mask(args[1])):
        _wait("read", f"the host waits for the size of the result of {packet.__name__}", ours)
    return run(func, args, kwargs)


def _is_cuda(leaf: Any) -> bool:
    return isinstance(leaf, torch.device) and leaf.type == "cuda"


def _on_host(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
    if kwargs.get("pin_memory"):
        return MEMORY.pin(func(*args, **(kwargs | {"pin_memory": False})))
    written = {id(one) for one in _written(func, args, kwargs)}
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu":
            host_use(leaf, writes=id(leaf) in written)
    return func(*args, **kwargs)


def host_use(host: torch.Tensor, *, writes: bool = False) -> None:
    """Check that no copy to or from pinned memory is in flight where the host uses it."""
    block = MEMORY.pinned(host)
    if block is not None:
        with LOCK:
            block.use(None, TIMELINE.host, writes=writes)


def _to_copy(func: Any, source: torch.Tensor, kwargs: dict[str, Any]) -> torch.Tensor:
    device = kwargs.get("device") or source.device
    options = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory")}
    blocking = not options.pop("non_blocking", False)
    if not isinstance(source, CudaTensor):
        made = CudaTensor(func(source, **options).clone())
        _transfer([], [made], MEMORY.pinned(source), blocking=blocking)
        return made
    if device.type == "cuda":
        return run(func, (source,), options)  # type: ignore[no-any-return]
    _transfer([source], [], None, blocking=True)
    return func(source.inner, **options)  # type: ignore[no-any-return]


def _copy_across(
    target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False
) -> torch.Tensor:
    if isinstance(target, CudaTensor):
        target.inner.copy_(source)
        _transfer([], [target], MEMORY.pinned(source), blocking=not non_blocking)
    elif isinstance(source, CudaTensor):
        target.copy_(source.inner)
        _transfer([source], [], MEMORY.pinned(target), blocking=not non_blocking)
    return target


def _transfer(
    read: list[CudaTensor], written: list[CudaTensor], pinned: Block | None, *, blocking: bool
) -> None:
    """Record a copy between host and device, and wait for it where CUDA would."""
    with LOCK:
        stream = current_stream()
        TIMELINE.forbid("copy between host and device", stream)
        launch(read, written)
        if pinned is not None:
            pinned.use(stream, TIMELINE.clock(stream), writes=bool(read))
        if pinned is None or blocking:
            memory = "pageable" if pinned is None else "pinned"
            _wait("copy", f"a copy of {memory} memory blocks the host", [])


def _wait(kind: Kind, message: str, read: list[CudaTensor]) -> None:
    """Let the host wait for the current stream, which has just read these tensors."""
    with LOCK:
        stream = current_stream()
        TIMELINE.forbid(message, stream)
        if read:
            launch(read, [])
        FOUND.add(kind, message)
        TIMELINE.wait(stream)


def _has_mask(indices: Iterable[torch.Tensor | None]) -> bool:
    return any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in indices)


def _check(func: Any, args: tuple[Any, ...], leaves: list[Any]) -> None:
    """Raise what a device raises, and look at the arithmetic."""
    packet = func.overloadpacket
    if any(isinstance(leaf, torch.Generator) and leaf.device.type == "cpu" for leaf in leaves):
        FOUND.fail(f"{packet.__name__} draws numbers on the device from a generator of the CPU")
    if packet not in _ON_CPU and not any(_has_kernel(func.name(), key) for key in _KERNEL_KEYS):
        FOUND.fail(f"{packet.__name__} has no CUDA kernel")
    of_host = [
        leaf
        for leaf in leaves
        if isinstance(leaf, torch.Tensor) and not isinstance(leaf, CudaTensor)
    ]
    if of_host and packet in _INDEXING and all(one in args[1] for one in of_host):
        _wait("copy", "indices come from the host", [])
    elif of_host:
        scalars = torch.Tag.pointwise in func.tags and not any(one.ndim for one in of_host)
        if not scalars or (func._schema.is_mutable and not isinstance(args[0], CudaTensor)):
            FOUND.fail(f"{packet.__name__} gets tensors of the device and of the CPU")
    if packet in _CONVOLUTIONS:
        _check_tf32(args[0], torch.backends.cudnn.conv)  # type: ignore[attr-defined]
        _check_search(args)
    elif packet in _MATRIX_PRODUCTS:
        _check_tf32(args[-1], torch.backends.cuda.matmul)


def _check_tf32(x: torch.Tensor, knob: Any) -> None:
    if x.dtype == torch.float32 and knob.fp32_precision == "tf32":
        FOUND.add("tf32", "an fp32 product may run in TF32")


def _check_search(args: tuple[Any, ...]) -> None:
    """Record when cuDNN has to search an algorithm: its findings are kept by thread."""
    if torch.backends.cudnn.benchmark and not TIMELINE.records_on(current_stream()):
        key = tuple(
            (tuple(arg.shape), arg.stride(), arg.dtype)
            if isinstance(arg, torch.Tensor)
            else str(arg)
            for arg in args
        )
        known = _searched.__dict__.setdefault("keys", set())
        if key not in known:
            known.add(key)
            FOUND.add("search", "cuDNN searches an algorithm for a shape that is new to the thread")


_searched = threading.local()


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a function of tensors on the CPU, as one launch on the device."""
    leaves = tree_leaves((args, kwargs))
    ours = [leaf for leaf in leaves if isinstance(leaf, CudaTensor)]
    name = getattr(func, "overloadpacket", func).__name__
    MEMORY.check(Launch(name, tuple(one.shape for one in ours), TIMELINE.recording is not None))
    inner_args, inner_kwargs = tree_map(_inner, (args, kwargs))
    inner_kwargs.pop("pin_memory", None)
    function = _ON_CPU.get(getattr(func, "overloadpacket", None), func)
    began = time.perf_counter()
    made = function(*inner_args, **inner_kwargs)
    if KERNELS is not None:
        KERNELS.append((name, began, time.perf_counter()))
    known = {id(one.inner): one for one in ours}
    fresh: list[CudaTensor] = []

    def wrap(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in known:
            fresh.append(CudaTensor(value))
            return fresh[-1]
        return known[id(value)]

    wrapped = tree_map(wrap, made)
    if function is not func or not _is_view(func):
        written = [one for one in _written(func, args, kwargs) if isinstance(one, CudaTensor)]
        step = Step(function, inner_args, inner_kwargs, made if fresh else None)
        launch(ours, [*fresh, *written], step)
    return wrapped


def launch(read: list[CudaTensor], written: list[CudaTensor], step: Step | None = None) -> None:
    """Record that the current stream uses memory, or that a graph will."""
    with LOCK:
        stream = current_stream()
        if TIMELINE.records_on(stream):
            assert TIMELINE.recording is not None
            TIMELINE.recording.graph.add(step, read, written)
            return
        clock = TIMELINE.launch(stream)
        for one in read:
            one.block.use(stream, clock, writes=False)
        for one in written:
            one.block.use(stream, clock, writes=True)


def _inner(value: Any) -> Any:
    if isinstance(value, CudaTensor):
        return value.inner
    return torch.device("cpu") if _is_cuda(value) else value


def _is_view(func: Any) -> bool:
    returns = func._schema.returns if isinstance(func, torch._ops.OpOverload) else ()
    return any(one.alias_info is not None and not one.alias_info.is_write for one in returns)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Arguments that an operator changes."""
    if not isinstance(func, torch._ops.OpOverload) or not func._schema.is_mutable:
        return []
    changed = []
    for index, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            changed.append(args[index] if index < len(args) else kwargs.get(argument.name))
    return tree_leaves(changed)  # type: ignore[no-any-return]
