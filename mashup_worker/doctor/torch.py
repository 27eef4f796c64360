"""Checks of PyTorch, of the GPU and its driver, and of the compiler that networks need on it."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.doctor.finding import Finding
from mashup_worker.doctor.software import version_line

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

_REMEDY = "install torch and torchaudio of one version from one index (pip install mashup-worker)"
_C_COMPILERS = ("gcc", "clang", "cc")


def check_torch(_settings: Settings) -> Finding:
    """Report the versions of torch and torchaudio, and the instructions and threads they use."""
    try:
        import torch
        import torchaudio
    except (ImportError, OSError) as error:
        # The libraries of torchaudio do not load beside a torch that was built for another CUDA.
        reason = str(error).partition("\n")[0]
        return Finding("torch", "error", f"cannot be imported ({reason})", _REMEDY)
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    details = {
        "torch": str(torch.__version__),
        "torchaudio": str(torchaudio.__version__),
        "built_for": built_for,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mps": torch.backends.mps.is_available(),
    }
    message = (
        f"{torch.__version__} ({built_for}), {details['threads']} threads, "
        f"{details['cpu_capability']}"
    )
    return Finding("torch", "ok", message, details=details)


def check_cuda(_settings: Settings) -> Finding:
    """Report the GPUs that torch can use, or the reason why it cannot use one."""
    driver = version_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        import torch
    except (ImportError, OSError):
        return Finding("cuda", "note", "not checked: torch cannot be imported")
    # torch reports drivers that are too old and devices that are too new as warnings.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return _usable_gpus(driver)
    details = {"driver": driver}
    if driver is None:
        if torch.backends.mps.is_available():
            message = "no NVIDIA GPU; work runs on the Apple GPU (mps)"
            return Finding("cuda", "ok", message, None, details)
        message = "no NVIDIA GPU; work runs on the CPU"
        remedy = "for speed, use a machine with an NVIDIA GPU and its driver"
        return Finding("cuda", "note", message, remedy, details)
    if torch.version.cuda is None:
        message = "NVIDIA driver found, but this torch is built for CPUs only"
        remedy = "install torch from the default package index"
        return Finding("cuda", "warning", message, remedy, details)
    reason = str(caught[-1].message).partition("\n")[0] if caught else "it finds no device"
    message = f"torch cannot use the GPU ({reason})"
    remedy = f"run nvidia-smi; torch needs a driver for CUDA {torch.version.cuda}"
    return Finding("cuda", "warning", message, remedy, details)


def check_compiler(_settings: Settings) -> Finding:
    """Report whether networks can be compiled for the GPU."""
    try:
        import torch
    except (ImportError, OSError):
        return Finding("compiler", "note", "not checked: torch cannot be imported")
    if not torch.cuda.is_available():
        return Finding("compiler", "ok", "not needed: networks are compiled on CUDA devices only")
    return check_compiling(Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR") or tempfile.gettempdir()))


def check_compiling(cache: Path) -> Finding:
    """Report whether a C compiler is installed and `cache` may hold shared libraries."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, _C_COMPILERS), None)
    details = {"compiler": compiler, "cache": str(cache)}
    if compiler is None or shutil.which(compiler) is None:
        message = "no C compiler: networks run uncompiled, and slower"
        remedy = "install gcc and libc6-dev, or set MASHUP_COMPILE_NETWORKS=false"
        return Finding("compiler", "warning", message, remedy, details)
    if _is_noexec(cache):
        message = f"{cache} is mounted noexec: networks run uncompiled, and slower"
        remedy = "set TORCHINDUCTOR_CACHE_DIR to a folder on a file system without noexec"
        return Finding("compiler", "warning", message, remedy, details)
    return Finding("compiler", "ok", f"{compiler}; compiled kernels in {cache}", None, details)


def _usable_gpus(driver: str | None) -> Finding:
    import torch

    devices: list[dict[str, Any]] = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        devices.append(
            {
                "index": index,
                "name": facts.name,
                "capability": f"{facts.major}.{facts.minor}",
                "memory_bytes": facts.total_memory,
                "works": _runs_kernels(index),
            }
        )
    details = {"driver": driver, "cuda": torch.version.cuda, "devices": devices}
    broken = [device["name"] for device in devices if not device["works"]]
    if broken:
        message = f"kernels do not run on {', '.join(broken)}"
        remedy = "select another GPU by CUDA_VISIBLE_DEVICES, or install a torch built for this one"
        return Finding("cuda", "warning", message, remedy, details)
    names = ", ".join(device["name"] for device in devices)
    message = f"{names}; driver {driver or 'unknown'}, CUDA {torch.version.cuda}"
    return Finding("cuda", "ok", message, None, details)


def _runs_kernels(index: int) -> bool:
    """Return whether a kernel runs: a listed device may be too old, too new, or full."""
    import torch

    try:
        return bool(torch.ones(2, device=f"cuda:{index}").sum().item() == 2)
    except RuntimeError:
        return False


def _is_noexec(folder: Path) -> bool:
    """Return whether the file system of `folder`, or of its nearest parent, refuses execution."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return bool(os.statvfs(existing).f_flag & getattr(os, "ST_NOEXEC", 0))
