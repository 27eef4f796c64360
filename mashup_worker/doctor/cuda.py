"""The GPU and its driver."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mashup_worker.doctor.finding import Finding
from mashup_worker.doctor.run import first_line

if TYPE_CHECKING:
    from mashup_worker.settings import Settings


def check(_settings: Settings) -> Finding:
    """Whether torch can use a GPU, and if there is one that it can't use, why."""
    driver = first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        import torch
    except (ImportError, OSError):
        return Finding("cuda", "note", "not checked, since torch can't be imported")
    # torch tells of drivers too old and devices too new by warnings.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return _usable(driver)
    details = {"driver": driver}
    if driver is None:
        if torch.backends.mps.is_available():
            return Finding("cuda", "ok", "no NVIDIA GPU; work runs on Apple's (mps)", None, details)
        return Finding(
            "cuda",
            "note",
            "no NVIDIA GPU; work runs on the CPU",
            "for speed, use a machine with an NVIDIA GPU and its driver",
            details,
        )
    if torch.version.cuda is None:
        return Finding(
            "cuda",
            "warning",
            "there is an NVIDIA driver, but this torch is built for CPUs only",
            "install torch from the default package index",
            details,
        )
    reason = str(told[-1].message).partition("\n")[0] if told else "it sees no device"
    return Finding(
        "cuda",
        "warning",
        f"torch can't use the GPU ({reason})",
        f"see what nvidia-smi says; torch needs a driver for CUDA {torch.version.cuda}",
        details,
    )


def _usable(driver: str | None) -> Finding:
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
                "works": _works(index),
            }
        )
    details = {"driver": driver, "cuda": torch.version.cuda, "devices": devices}
    broken = [device["name"] for device in devices if not device["works"]]
    if broken:
        return Finding(
            "cuda",
            "warning",
            f"kernels don't run on {', '.join(broken)}",
            "name another GPU in CUDA_VISIBLE_DEVICES, or install a torch built for this one",
            details,
        )
    names = ", ".join(device["name"] for device in devices)
    message = f"{names}; driver {driver or 'unknown'}, CUDA {torch.version.cuda}"
    return Finding("cuda", "ok", message, None, details)


def _works(index: int) -> bool:
    """Whether a kernel really runs: a device that is listed may be too old or too new, or full."""
    import torch

    try:
        return bool(torch.ones(2, device=f"cuda:{index}").sum().item() == 2)
    except RuntimeError:
        return False
