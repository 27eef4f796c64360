"""All checks, in the order they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor import (
    compiler,
    cuda,
    ffmpeg,
    memory,
    model_cache,
    packages,
    python,
    rubberband,
    services,
    torch,
)
from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.settings import Settings

CHECKS: Mapping[str, Callable[[Settings], Finding]] = {
    "python": python.check,
    "packages": packages.check,
    "torch": torch.check,
    "cuda": cuda.check,
    "compiler": compiler.check,
    "memory": memory.check,
    "ffmpeg": ffmpeg.check,
    "rubberband": rubberband.check,
    "model cache": model_cache.check,
    "database": services.check_database,
    "redis": services.check_redis,
    "storage": services.check_storage,
}


def run_checks(settings: Settings) -> list[Finding]:
    """Look at everything; a check that fails in a way nobody foresaw is a finding too."""
    return [_run(name, check, settings) for name, check in CHECKS.items()]


def _run(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Finding(name, "error", f"could not be checked ({reason})", "report this as a bug")
