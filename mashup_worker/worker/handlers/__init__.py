"""Handlers of jobs, one module per job type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.vocabulary import JobType
    from mashup_worker.worker.handler import Handler


def all_handlers(max_duration_s: float) -> Mapping[JobType, Handler[Any]]:
    """Return the handler of each job type, for audio up to a duration."""
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
