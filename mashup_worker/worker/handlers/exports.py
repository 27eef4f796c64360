"""Files for DJ programs and DAWs beside the other results of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.queue.contracts import ExportOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.exports.objects import Exports
    from mashup_worker.vocabulary import ExportName
    from mashup_worker.worker.handler import StoredFile


def exported_settings(names: Sequence[ExportName]) -> dict[str, list[str]]:
    """Return what determines the result; nothing for jobs without exports."""
    return {"export": list(names)} if names else {}


def export_outputs(exports: Exports, stored: Mapping[str, StoredFile]) -> tuple[ExportOutput, ...]:
    """Return the output of exports, given the stored files."""
    return tuple(
        ExportOutput(format=name, **vars(stored[path.name])) for name, path in exports.files.items()
    )
