"""Description of the machine of a measurement, without host and user names."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mashup_worker.system.cores import usable_processors


@dataclass(frozen=True)
class Machine:
    """Device and its host.

    Attributes:
        device, kind: name of the device that ran the networks, and `cpu`, `cuda` or `mps`.
        driver, device_memory_bytes: of a CUDA device.
        cores: cores that the process may use.
        memory_bytes: memory of the host; None if unknown.
    """

    device: str
    kind: str
    driver: str | None
    device_memory_bytes: int | None
    processor: str
    cores: int
    memory_bytes: int | None

    def is_like(self, other: Machine) -> bool:
        """Return whether figures of both are comparable; a virtual machine's memory varies."""
        mine, theirs = (replace(one, memory_bytes=None) for one in (self, other))
        return mine == theirs

    @property
    def slug(self) -> str:
        """File name for the machine."""
        words = re.sub(r"\((R|TM)\)", "", self.device, flags=re.IGNORECASE)
        if self.kind == "cpu":
            words += f" {self.cores} cores"
        return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def describe(device: torch.device) -> Machine:
    """Return the machine of a device."""
    name, driver, memory = processor(), None, None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, memory, driver = properties.name, properties.total_memory, _driver()
    elif device.type == "mps":
        name = f"{name} GPU"
    return Machine(
        name, device.type, driver, memory, processor(), usable_processors(), _memory_bytes()
    )


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of the installed packages."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {"torch": torch.__version__}


def processor() -> str:
    """Return the name of the processor, or its architecture if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _driver() -> str | None:
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, check=True, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0] or None
