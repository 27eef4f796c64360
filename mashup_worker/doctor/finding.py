"""Result of one check of the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes:
        check: name of the check.
        severity: `ok`; `note`, an optional part is missing; `warning`, work is possible but slower
            or limited; `error`, songs cannot be separated on this machine.
        message: one line.
        remedy: command or change that resolves it, where one exists.
        details: facts for programs.
    """

    check: str
    severity: Severity
    message: str
    remedy: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
