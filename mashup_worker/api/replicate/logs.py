"""Logs of predictions, made from the state of their jobs: clients read the progress from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mashup_worker.db.jobs import Job

_BAR_LETTERS = 20


def logs_of(job: Job, notes: Iterable[str]) -> str:
    """Return the log of a prediction; empty before it starts.

    The last line has the form of tqdm, which clients parse.

    Args:
        job: job of the prediction.
        notes: remarks about its input.
    """
    if job.started_at is None or job.status == "queued":
        return ""
    lines = [f"note: {note}" for note in notes]
    lines += _model_lines(job.output_data or {})
    lines += [f"warning: {warning}" for warning in (job.output_data or {}).get("warnings", ())]
    if job.error_message and job.status == "failed":
        lines.append(f"error: {job.error_code}: {job.error_message}")
    lines.append(_progress_line(job.progress or 0, job.stage or job.status))
    return "\n".join(lines) + "\n"


def _model_lines(output: Mapping[str, Any]) -> list[str]:
    """Return a line about the model and its license, once the job has an output with both."""
    model = output.get("model") or {}
    terms = model.get("license")
    if terms is None:
        return []
    return [f"model: {model['name']}, license {terms['id']} ({terms['license_class']})"]


def _progress_line(percent: int, stage: str) -> str:
    bar = "█" * (percent * _BAR_LETTERS // 100)
    return f"{percent:3d}%|{bar:{_BAR_LETTERS}}| {percent}/100 [{stage}]"
