"""What was found out about sounds, kept by the digest of their bytes: analyses and stems."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from mashup_worker.analysis.result import Analysis
from mashup_worker.errors import StorageFailed
from mashup_worker.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ANALYSES = TypeAdapter(Analysis)

ANALYSER = "1"
"""To be raised when analyses come out differently, so that old ones are not taken any more."""


@dataclass(frozen=True)
class SongCache:
    """A folder of analyses and stems.

    Whatever it holds can be made again: it may be removed at any time. A file that can't be read
    counts as missing, and one that can't be written is left out, since the work itself needs none.

    Attributes:
        folder: where it is.
    """

    folder: Path

    def analysis(self, digests: Mapping[str, str]) -> Analysis | None:
        """The analysis of a song from its stems' digests by kind, if it is there."""
        try:
            return _ANALYSES.validate_json(self._analysis_path(digests).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep_analysis(self, digests: Mapping[str, str], analysis: Analysis) -> None:
        """Keep an analysis, where the folder can be written."""
        with suppress(StorageFailed):
            write_whole(self._analysis_path(digests), _ANALYSES.dump_json(analysis))

    def stem_paths(self, digest: str, model: str, kinds: Sequence[str]) -> dict[str, Path]:
        """Where the stems that a model makes of a song belong."""
        home = self.folder / "stems" / digest[:2] / f"{digest[2:]}.{_safe(model)}"
        return {kind: home / f"{kind}.flac" for kind in kinds}

    def _analysis_path(self, digests: Mapping[str, str]) -> Path:
        text = "\n".join(f"{kind} {digests[kind]}" for kind in sorted(digests))
        digest = hashlib.sha256(f"{ANALYSER}\n{text}".encode()).hexdigest()
        return self.folder / "analyses" / digest[:2] / f"{digest[2:]}.json"


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
