"""Operators on the fake device: run on the CPU, checked as a device would check them."""

from __future__ import annotations

import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.fake_cuda.findings import LOCK, fail, here, note
from tests.fake_cuda.graphs import Step
from tests.fake_cuda.memory import MEMORY, CudaTensor
from tests.fake_cuda.streams import TIMELINE, current_stream, merge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_cuda.findings import Kind

aten = torch.ops.aten

_INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)
"""Operators that take indices of the host, and masks."""

_READING = (torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output)
"""Tags of operators whose result needs a value of the device on the host."""

_PRODUCTS = (aten.convolution, aten.mm, aten.bmm, aten.addmm, aten.baddbmm)
_KERNEL_KEYS = ("CUDA", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")

_searched = threading.local()


def _cudnn_batch_norm(x: torch.Tensor, *rest: Any) -> Any:
    return (*torch.native_batch_norm(x, *rest), torch.empty(0, dtype=torch.uint8))


_ON_CPU = {aten.cudnn_batch_norm: _cudnn_batch_norm, aten._conj: torch.conj_physical}
"""Stand-ins for operators that only CUDA has, or that are lazy on the CPU."""


class Watch(TorchDispatchMode):
    """Sends every operator of the thread that enters it through `dispatch`."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch._dynamo is imported, though nothing is compiled

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if CudaTensor in types or any(_is_cuda(one) for one in (*args, *kwargs.values())):
            return dispatch(func, args, kwargs)
        return _on_host(func, args, kwargs)


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator on tensors of the device, or one that makes them."""
    if _has_kernel(func, "CompositeImplicitAutograd"):
        with Watch():  # type: ignore[no-untyped-call]  # in inference mode it arrives whole
            made = func.decompose(*args, **kwargs)
        if made is not NotImplemented:
            return made
    with LOCK:
        return _on_device(func, args, kwargs, _leaves((args, kwargs)))


def _on_host(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if kwargs.get("pin_memory"):
        return MEMORY.pin(func(*args, **(kwargs | {"pin_memory": False})))
    if MEMORY.pinned_blocks and not _is_view(func):
        leaves = _leaves((args, kwargs))
        use_on_host([leaf for leaf in leaves if isinstance(leaf, torch.Tensor)], writes=False)
        use_on_host(_written(func, args, kwargs), writes=True)
    return func(*args, **kwargs)


def use_on_host(tensors: list[torch.Tensor], *, writes: bool) -> None:
    """Check that nothing is copied from or to pinned memory that the host uses."""
    for one in tensors:
        block = MEMORY.pinned(one)
        if block is not None:
            with LOCK:
                block.use(None, TIMELINE.host, here(), writes=writes)


def _on_device(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
    packet = func.overloadpacket
    if packet is aten._to_copy:
        kwargs = {"device": args[0].device, "non_blocking": False} | kwargs
        blocks, device = not kwargs.pop("non_blocking"), torch.device(kwargs.pop("device"))
        if device.type == "cpu" or not isinstance(args[0], CudaTensor):
            copy = func(_inner(args[0]), **kwargs)
            made = CudaTensor(copy) if device.type == "cuda" else copy
            _copied(made, args[0], blocks=blocks)
            return made
    elif packet is aten.copy_ and not all(isinstance(one, CudaTensor) for one in args[:2]):
        _inner(args[0]).copy_(_inner(args[1]))
        _copied(args[0], args[1], blocks=not (args[2:] or (kwargs.get("non_blocking"),))[0])
        return args[0]
    elif _has_tag(func, torch.Tag.inplace_view):
        with no_dispatch():
            func(*args, **kwargs)  # on the tensor itself, whose shape is its own
        func(args[0].numbers, *args[1:], **kwargs)
        return args[0]
    host_reads = _check(func, args, leaves)
    made = run(func, args, kwargs, leaves)
    if host_reads:
        _wait("read", f"the host waits for {packet.__name__}")
    return made


def _copied(target: torch.Tensor, source: torch.Tensor, *, blocks: bool) -> None:
    """Record a copy between host and device, and wait for it where CUDA would."""
    stream, to_device = current_stream(), isinstance(target, CudaTensor)
    TIMELINE.forbid("copy between host and device", stream)
    pinned = MEMORY.pinned(source if to_device else target)
    _launch([] if to_device else [source], [target] if to_device else [])
    if pinned is not None:
        pinned.use(stream, TIMELINE.clock(stream), here(), writes=not to_device)
    if pinned is None or blocks:
        _wait("copy", f"a copy blocks the host ({'pinned' if pinned else 'pageable'} memory)")


def _wait(kind: Kind, message: str) -> None:
    """Let the host wait for the current stream."""
    TIMELINE.forbid(message, current_stream())
    note(kind, message)
    merge(TIMELINE.host, TIMELINE.clock(current_stream()))


def _check(func: Any, args: tuple[Any, ...], leaves: list[Any]) -> bool:
    """Raise what a device raises, and return whether the host waits for the result."""
    packet, name = func.overloadpacket, func.overloadpacket.__name__
    if any(isinstance(leaf, torch.Generator) and leaf.device.type == "cpu" for leaf in leaves):
        fail(f"{name} draws numbers on the device from a generator of the CPU")
    if packet not in _ON_CPU and not any(_has_kernel(func, key) for key in _KERNEL_KEYS):
        fail(f"{name} has no CUDA kernel")
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    of_host = [one for one in tensors if type(one) is not CudaTensor]
    indices = _leaves(args[1]) if packet in _INDEXING else []
    if of_host and all(any(one is index for index in indices) for one in of_host):
        _wait("copy", "indices of the host are copied")
    elif of_host and (
        any(one.ndim for one in of_host)  # scalars of the host are arguments of the kernel
        or not _has_tag(func, torch.Tag.pointwise)
        or (func._schema.is_mutable and not isinstance(args[0], CudaTensor))
    ):
        fail(f"{name} gets tensors of the device and of the CPU")
    convolves = packet is aten.convolution
    if packet in _PRODUCTS and tensors[0].dtype == torch.float32:
        backends: Any = torch.backends
        backend = backends.cudnn.conv if convolves else backends.cuda.matmul
        if backend.fp32_precision == "tf32":
            note("tf32", f"{name} in fp32 may run in TF32")
    if convolves and torch.backends.cudnn.benchmark:
        key = str([(one.shape, one.stride(), one.dtype) for one in tensors]) + str(args[3:])
        if key not in (known := _searched.__dict__.setdefault("keys", set())):
            known.add(key)  # cuDNN remembers for each thread
            note("search", "a convolution of a shape that is new to the thread")
    masked = any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in indices)
    return masked or (_has_tag(func, *_READING) and not indices)


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
    """Run an operator on the numbers of its tensors, and record its launch."""
    used = [leaf for leaf in leaves if type(leaf) is CudaTensor]
    function = _ON_CPU.get(func.overloadpacket, func)
    launches = function is not func or not _is_view(func)
    recorded = TIMELINE.graph(current_stream()) is not None
    if launches and MEMORY.runs_out(tuple(one.shape for one in used), recorded):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate in a test.")
    inner_args, inner_kwargs = _mapped(_inner, (args, kwargs))
    inner_kwargs.pop("pin_memory", None)
    if func.overloadpacket in _PRODUCTS and used[0].dtype in (torch.float16, torch.bfloat16):
        function = partial(_in_fp32, func)
    made = function(*inner_args, **inner_kwargs)
    known = {id(one.numbers): one for one in used}
    fresh: list[CudaTensor] = []

    def wrap(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or id(value) in known:
            return known.get(id(value), value)
        fresh.append(CudaTensor(value, None if launches else used[0].block))
        return fresh[-1]

    wrapped = _mapped(wrap, made)
    if launches:
        step = Step(function, inner_args, inner_kwargs, [one.numbers for one in fresh])
        _launch(used, [*fresh, *_written(func, args, kwargs)], step)
    return wrapped


def _in_fp32(func: Any, *args: Any, out: torch.Tensor | None = None) -> Any:
    """Multiply as tensor cores do: half-precision numbers, added up in fp32."""
    wide = _mapped(lambda one: one.float() if isinstance(one, torch.Tensor) else one, args)
    plain = func if out is None else func.overloadpacket
    made = plain(*wide).to(args[0].dtype)
    return made if out is None else out.copy_(made)


def _launch(read: Any, written: Any, step: Step | None = None) -> None:
    """Record that the current stream uses memory, or that a graph will."""
    stream = current_stream()
    graph = TIMELINE.graph(stream)
    if graph is not None:
        graph.add(step, (*read, *written))
        return
    clock = TIMELINE.clock(stream, launches=True)
    place = here()
    for tensors, writes in ((read, False), (written, True)):
        for one in tensors:
            one.block.use(stream, clock, place, writes=writes)


def _is_cuda(leaf: Any) -> bool:
    return type(leaf) is torch.device and leaf.type == "cuda"


def _inner(value: Any) -> Any:
    if type(value) is CudaTensor:
        return value.numbers
    return torch.device("cpu") if _is_cuda(value) else value


@cache
def _has_kernel(func: Any, key: str) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key)


@cache
def _has_tag(func: Any, *tags: torch.Tag) -> bool:
    return not set(tags).isdisjoint(func.tags)


@cache
def _is_view(func: Any) -> bool:
    return any(one.alias_info and not one.alias_info.is_write for one in func._schema.returns)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """Return the tensors that an operator changes."""
    if not func._schema.is_mutable:
        return []
    arguments = func._schema.arguments
    given = dict(zip([one.name for one in arguments], args, strict=False)) | kwargs
    changed = [given.get(one.name) for one in arguments if one.alias_info]
    return [leaf for leaf in _leaves(changed) if isinstance(leaf, torch.Tensor)]


def _leaves(value: Any) -> list[Any]:
    """Return what lists, tuples and dicts hold; `torch.utils._pytree` takes five times as long."""
    leaves: list[Any] = []
    for one in value.values() if type(value) is dict else value:
        if type(one) in (tuple, list, dict):
            leaves += _leaves(one)
        else:
            leaves.append(one)
    return leaves


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Return `value` with every leaf replaced by what the function makes of it."""
    if type(value) is dict:
        return {key: _mapped(function, one) for key, one in value.items()}
    if type(value) in (tuple, list):
        return type(value)([_mapped(function, one) for one in value])
    return function(value)
