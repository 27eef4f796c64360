"""Cache of analyses and stems by the digests of their files."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from mashup_worker.analysis.result import ANALYSIS_VERSION, Analysis
from mashup_worker.errors import StorageFailed
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ANALYSES = TypeAdapter(Analysis)
_WARNINGS = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True)
class SongCache:
    """Folder of analyses, stems and decoder warnings, which may be removed at any time.

    Files that cannot be read count as missing, and files that cannot be written are skipped.
    """

    folder: Path

    def analysis(self, digests: Mapping[str, str]) -> Analysis | None:
        """Return the analysis of the song whose stems have these SHA-256 digests, or None."""
        try:
            return _ANALYSES.validate_json(self._analysis_path(digests).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep_analysis(self, digests: Mapping[str, str], analysis: Analysis) -> None:
        """Store an analysis if the folder is writable."""
        with suppress(StorageFailed):
            write_atomically(self._analysis_path(digests), _ANALYSES.dump_json(analysis))

    def stem_paths(self, digest: str, model: str, kinds: Sequence[str]) -> dict[str, Path]:
        """Return the paths of the stems that a model separates from a song."""
        safe = re.sub(r"[^\w.-]", "_", model)
        home = self.folder / "stems" / digest[:2] / f"{digest[2:]}.{safe}"
        return {kind: home / f"{kind}.flac" for kind in kinds}

    def warnings(self, digest: str) -> tuple[str, ...] | None:
        """Return the decoder's warnings about the song with this SHA-256 digest, or None."""
        try:
            return _WARNINGS.validate_json(self._warnings_path(digest).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep_warnings(self, digest: str, warnings: tuple[str, ...]) -> None:
        """Store the decoder's warnings about a song if the folder is writable."""
        with suppress(StorageFailed):
            write_atomically(self._warnings_path(digest), _WARNINGS.dump_json(warnings))

    def _warnings_path(self, digest: str) -> Path:
        return self.folder / "stems" / digest[:2] / f"{digest[2:]}.warnings.json"

    def _analysis_path(self, digests: Mapping[str, str]) -> Path:
        text = "\n".join(f"{kind} {digests[kind]}" for kind in sorted(digests))
        digest = hashlib.sha256(f"{ANALYSIS_VERSION}\n{text}".encode()).hexdigest()
        return self.folder / "analyses" / digest[:2] / f"{digest[2:]}.json"
