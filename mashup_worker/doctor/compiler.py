"""The C compiler and cache folder that `torch.compile` needs on a CUDA machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

_COMPILERS = ("gcc", "clang", "cc")


def check(_settings: Settings) -> Finding:
    """Report whether networks can be compiled for the GPU."""
    try:
        import torch
    except (ImportError, OSError):
        return Finding("compiler", "note", "not checked: torch cannot be imported")
    if not torch.cuda.is_available():
        return Finding("compiler", "ok", "not needed: networks are compiled on CUDA devices only")
    return check_compiling(cache_folder())


def check_compiling(cache: Path) -> Finding:
    """Report whether a C compiler is installed and `cache` may hold shared libraries."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, _COMPILERS), None)
    details = {"compiler": compiler, "cache": str(cache)}
    if compiler is None or shutil.which(compiler) is None:
        return Finding(
            "compiler",
            "warning",
            "no C compiler: networks run uncompiled, and slower",
            "install gcc and libc6-dev, or set MASHUP_COMPILE_NETWORKS=false",
            details,
        )
    if _is_noexec(cache):
        return Finding(
            "compiler",
            "warning",
            f"{cache} is mounted noexec: networks run uncompiled, and slower",
            "set TORCHINDUCTOR_CACHE_DIR to a folder that programs may be loaded from",
            details,
        )
    return Finding("compiler", "ok", f"{compiler}; compiled kernels in {cache}", None, details)


def cache_folder() -> Path:
    """Return the folder in which `torch.compile` keeps compiled kernels."""
    named = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    return Path(named or tempfile.gettempdir())


def _is_noexec(folder: Path) -> bool:
    """Return whether the file system of `folder`, or of its nearest parent, refuses execution."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return bool(os.statvfs(existing).f_flag & getattr(os, "ST_NOEXEC", 0))
