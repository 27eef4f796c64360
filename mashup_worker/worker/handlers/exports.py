"""Files for DJ programs and DAWs beside the other results of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.queue.job_outputs import ExportOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.exports.objects import Exports
    from mashup_worker.vocabulary import ExportName
    from mashup_worker.worker.handler import StoredFile


def exported_settings(names: Sequence[ExportName], title: str | None = None) -> dict[str, Any]:
    """Return what determines the result; nothing for jobs without exports."""
    if not names:
        return {}
    return {"export": list(names)} | ({} if title is None else {"title": title})


def export_outputs(exports: Exports, stored: Mapping[str, StoredFile]) -> tuple[ExportOutput, ...]:
    """Return the output of exports, given the stored files."""
    return tuple(
        ExportOutput(format=name, **vars(stored[path.name])) for name, path in exports.files.items()
    )
