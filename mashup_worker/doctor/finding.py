"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was looked at.
        severity: `ok`; `note`, something optional is not there; `warning`, work goes on but worse
            than it could; `error`, songs can't be separated here.
        message: one line.
        remedy: what to do, where there is something to do.
        details: facts for programs.
    """

    check: str
    severity: Severity
    message: str
    remedy: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
