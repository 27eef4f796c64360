"""Run all checks, in the order in which they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.doctor.licenses import check_licenses
from mashup_worker.doctor.memory import check_memory
from mashup_worker.doctor.model_cache import check_model_cache
from mashup_worker.doctor.services import check_database, check_queues, check_redis, check_storage
from mashup_worker.doctor.software import (
    check_ffmpeg,
    check_packages,
    check_python,
    check_rubberband,
)
from mashup_worker.doctor.torch import check_compiler, check_cuda, check_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.settings import Settings

CHECKS: Mapping[str, Callable[[Settings], Finding]] = {
    "python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "cuda": check_cuda,
    "compiler": check_compiler,
    "memory": check_memory,
    "ffmpeg": check_ffmpeg,
    "rubberband": check_rubberband,
    "model cache": check_model_cache,
    "licenses": check_licenses,
    "database": check_database,
    "queues": check_queues,
    "redis": check_redis,
    "storage": check_storage,
}


def run_checks(settings: Settings) -> list[Finding]:
    """Run every check; a check that raises becomes an `error` finding."""
    return [_run(name, check, settings) for name, check in CHECKS.items()]


def _run(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Finding(name, "error", f"could not be checked ({reason})", "report this as a bug")
