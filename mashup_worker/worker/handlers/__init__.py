"""What does each type of job: one module a type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mashup_worker.worker.work import Handler


def handlers(max_duration_s: float) -> dict[str, Handler]:
    """All there are, by type of job.

    Args:
        max_duration_s: longest sound that they take.
    """
    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.worker.handlers.analyze import AnalyzeHandler
    from mashup_worker.worker.handlers.mashup import MashupHandler
    from mashup_worker.worker.handlers.master import MasterHandler
    from mashup_worker.worker.handlers.separate import SeparateHandler

    limits = DecodeLimits(max_duration_s=max_duration_s)
    return {
        "separate": SeparateHandler(limits),
        "analyze": AnalyzeHandler(limits),
        "mashup": MashupHandler(limits),
        "master": MasterHandler(limits),
    }
