"""Compiled and captured cores run what they say they run, and report what fails as it is."""

from __future__ import annotations

import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch

from mashup_worker.errors import DeviceLost
from mashup_worker.models import graphs
from mashup_worker.models.device import is_out_of_memory
from mashup_worker.models.graphs import CapturedCore, CompiledCore, reset_compiler

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from mashup_worker.models.network import Core

RECOMPILE_LIMIT = 8


@pytest.fixture(autouse=True)
def _nothing_is_compiled() -> None:
    reset_compiler()


def new_core() -> Core:
    def core(x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, xt * 2

    return core


def compile_by(monkeypatch: pytest.MonkeyPatch, backend: Callable[..., Any] | str) -> None:
    """Let `torch.compile` pass graphs to `backend` instead of inductor."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))


def run(core: Core, length: int = 2, device: str = "cpu") -> None:
    x, xt = (torch.arange(float(length), device=device) for _ in range(2))
    made, made_t = core(x, xt)
    assert torch.equal(made, x + 1)
    assert torch.equal(made_t, xt * 2)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name.startswith("mashup_worker")]
    return [record.getMessage() for record in ours if record.levelname == "WARNING"]


def test_is_compiled_once_it_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_by(monkeypatch, "eager")
    core = CompiledCore(new_core())
    assert not core.is_compiled
    run(core)
    assert core.is_compiled


def test_without_a_compiler_the_core_runs_uncompiled_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def backend(*_: object) -> Any:
        raise RuntimeError("no C compiler")

    compile_by(monkeypatch, backend)
    core = CompiledCore(new_core())
    run(core)
    run(core)
    assert not core.is_compiled
    [message] = warnings_of(caplog)
    assert "no C compiler" in message


def test_errors_of_the_first_compiled_run_are_no_errors_of_the_song(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Triton loads its kernels at the first run: with a cache on a noexec mount it fails there."""

    def kernel(*_: Tensor) -> Any:
        raise ImportError("failed to map segment from shared object")

    compile_by(monkeypatch, lambda *_: kernel)
    core = CompiledCore(new_core())
    run(core)
    assert not core.is_compiled


def test_more_shapes_than_torch_compiles_run_uncompiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compile_by(monkeypatch, "eager")
    plain = new_core()
    core = CompiledCore(plain)
    for length in range(2, 2 + RECOMPILE_LIMIT):
        run(core, length)
    assert core.is_compiled
    run(core, 2 + RECOMPILE_LIMIT)
    assert not core.is_compiled
    assert len(warnings_of(caplog)) == 1
    reset_compiler()
    later = CompiledCore(plain)
    run(later, 2 + RECOMPILE_LIMIT)
    assert later.is_compiled


def test_warnings_of_imports_do_not_stop_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a GPU it imports the rest of the compiler, which warns."""
    monkeypatch.setitem(sys.modules, "torch._dynamo", torch)
    monkeypatch.setattr(
        torch.compiler, "reset", lambda: warnings.warn("it is old", DeprecationWarning, 2)
    )
    reset_compiler()


@pytest.mark.parametrize("at", ["compilation", "run"])
def test_out_of_memory_is_raised(monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    def fails(*_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    compile_by(monkeypatch, fails if at == "compilation" else lambda *_: fails)
    core = CompiledCore(new_core())
    with pytest.raises(RuntimeError) as caught:
        run(core)
    assert is_out_of_memory(caught.value)


def test_inductors_advice_to_allow_tf32_stops_no_compilation(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def backend(graph: torch.fx.GraphModule, _inputs: object) -> Any:
        from torch._inductor import compile_fx  # which warns, too

        with monkeypatch.context() as ampere:
            ampere.setattr(torch.cuda, "is_available", lambda: True)
            ampere.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
            compile_fx._warn_tf32_disabled.__wrapped__()
        return graph.forward

    compile_by(monkeypatch, backend)
    core = CompiledCore(new_core())
    run(core)
    assert core.is_compiled
    assert not [one for one in recwarn if "TensorFloat32" in str(one.message)]


LEFT: list[Any] = []
"""Contexts of streams that stay entered, where collecting them would exit them."""


def end_recordings_with(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """Let recordings raise an error at their end, and leave their stream the current one."""
    plain = torch.cuda.graph

    class Failing:
        def __init__(self, graph: Any, *, stream: torch.cuda.Stream, **kwargs: Any) -> None:
            self._recording = plain(graph, stream=stream, **kwargs)
            self._stream = stream

        def __enter__(self) -> None:
            self._recording.__enter__()

        def __exit__(self, *error: Any) -> None:
            try:
                self._recording.__exit__(*error)
            finally:
                LEFT.append(torch.cuda.stream(self._stream))
                LEFT[-1].__enter__()
                raise RuntimeError(message)

    monkeypatch.setattr(torch.cuda, "graph", Failing)


def calls_to_record() -> int:
    """Some that warm up, fewer on a fake device, and the one that is recorded."""
    return graphs._WARM_UP_RUNS + 1


def fails_when_recorded(calls: list[int]) -> Core:
    plain = new_core()

    def core(x: Tensor, xt: Tensor) -> tuple[Tensor, ...]:
        calls.append(len(calls))
        if len(calls) == calls_to_record():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return plain(x, xt)

    return core


@pytest.mark.gpu
def test_sizes_are_recorded_once_and_again_when_forgotten() -> None:
    calls: list[int] = []
    plain = new_core()

    def core(x: Tensor, xt: Tensor) -> tuple[Tensor, ...]:
        calls.append(len(x))
        return plain(x, xt)

    captured = CapturedCore(core)
    assert not captured.is_captured
    for length in (2, 3, 2, 3):
        run(captured, length, "cuda")
    assert captured.is_captured
    assert calls == [2] * calls_to_record() + [3] * calls_to_record()
    captured.forget()
    assert not captured.is_captured
    run(captured, 2, "cuda")
    assert len(calls) == 3 * calls_to_record()


@pytest.mark.gpu
def test_out_of_memory_in_a_recording_is_raised_and_the_size_recorded_again() -> None:
    core = CapturedCore(fails_when_recorded([]))
    stream = torch.cuda.current_stream()
    with pytest.raises(torch.OutOfMemoryError):
        run(core, device="cuda")
    assert not core.is_captured
    assert torch.cuda.current_stream() == stream
    run(core, device="cuda")
    assert core.is_captured


@pytest.mark.gpu
def test_out_of_memory_for_the_finished_graph_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = torch.cuda.current_stream()
    with monkeypatch.context() as patched:
        end_recordings_with(patched, "CUDA error: out of memory")
        core = CapturedCore(new_core())
        with pytest.raises(RuntimeError) as caught:
            run(core, device="cuda")
    assert is_out_of_memory(caught.value)
    assert torch.cuda.current_stream() == stream
    run(core, device="cuda")
    assert core.is_captured


@pytest.mark.gpu
@pytest.mark.parametrize("out_of_memory", [False, True])
def test_a_recording_that_can_not_be_ended_loses_the_device(
    monkeypatch: pytest.MonkeyPatch, out_of_memory: bool
) -> None:
    """Whatever spoiled it: the allocator serves it for good."""
    end_recordings_with(
        monkeypatch, "CUDA error: operation failed due to a previous error during capture"
    )
    core = CapturedCore(fails_when_recorded([]) if out_of_memory else new_core())
    with pytest.raises(DeviceLost, match=r"^cuda:0: .*previous error") as caught:
        run(core, device="cuda")
    assert not is_out_of_memory(caught.value)
    assert caught.value.retryable
