"""Output of `mashup separate`: text lines, or one line of JSON per song."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.output import Output
from mashup_worker.models.choice import LITE, PREFERRED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.models.load import LoadedModel
    from mashup_worker.pipelines.separation.separate import SeparateResult


@dataclass
class Printer(Output):
    """Printer of separated songs; lists each stem when verbose."""

    _said: set[str] = field(default_factory=set)

    def plan(self, song: Song, targets: Mapping[str, Path]) -> None:
        """Print the files that would be written."""
        self.json({"input": str(song.path), "dry_run": True, "stems": _paths(targets)})
        for path in targets.values():
            self.line(f"{song.path} -> {path}")

    def skipped(self, song: Song, targets: Mapping[str, Path]) -> None:
        """Print that a song is skipped because its stems exist."""
        self.json({"input": str(song.path), "skipped": True, "stems": _paths(targets)})
        self.line(f"{song.path}: skipped, all stems exist")

    def done(self, song: Song, loaded: LoadedModel, result: SeparateResult) -> None:
        """Print the files that were written, and notes on them."""
        separator = loaded.separator
        output_dir = _common_folder([stem.path for stem in result.stems])
        self.json(
            {
                "input": str(song.path),
                "output_dir": str(output_dir),
                "model": separator.name,
                "model_license": separator.license.as_dict(),
                "preview": separator.name == LITE,
                "device": separator.device,
                "precision": separator.precision,
                "fallback_reason": loaded.fallback_reason,
                "duration_s": round(result.duration_s, 6),
                "elapsed_s": round(result.elapsed_s, 3),
                "shared_gain_db": round(result.shared_gain_db, 2),
                "warnings": list(result.warnings),
                "stems": [
                    {
                        "kind": stem.kind,
                        "path": str(stem.path),
                        "duration_s": round(stem.duration_s, 6),
                        "loudness_lufs": _rounded(stem.loudness_lufs),
                    }
                    for stem in result.stems
                ],
            }
        )
        speed = result.duration_s / result.elapsed_s
        preview = " (preview)" if separator.name == LITE else ""
        self.line(
            f"{song.path} -> {output_dir}: {', '.join(stem.kind for stem in result.stems)} with "
            f"{separator.name}{preview} on {separator.device} in {separator.precision}, "
            f"{result.elapsed_s:.1f} s ({speed:.1f} times real time)"
        )
        if self.verbose:
            for stem in result.stems:
                self.line(_stem_line(stem.path, stem.loudness_lufs))
        if not self.quiet:
            self._notes(song, loaded, result)

    def _notes(self, song: Song, loaded: LoadedModel, result: SeparateResult) -> None:
        name, reason = loaded.separator.name, loaded.fallback_reason
        if (name == LITE or reason) and name not in self._said:
            self._said.add(name)
            kind = " is a preview model," if name == LITE else " is"
            why = f"{kind} used instead of {PREFERRED}: {reason}" if reason else kind.rstrip(",")
            self.error(f"{name}{why}")
        if result.shared_gain_db < 0:
            self.error(
                f"{song.path}: all stems are scaled by {result.shared_gain_db:.1f} dB, so that "
                "none clips"
            )
        self.warn(song.path, result.warnings)
        if result.non_finite_samples:
            self.error(
                f"{song.path}: {result.non_finite_samples} samples were not numbers and are taken "
                "as silence"
            )


def _common_folder(paths: list[Path]) -> Path:
    folder = paths[0].parent
    while not all(path.is_relative_to(folder) for path in paths):
        folder = folder.parent
    return folder


def _paths(targets: Mapping[str, Path]) -> list[dict[str, str]]:
    return [{"kind": kind, "path": str(path)} for kind, path in targets.items()]


def _stem_line(path: Path, loudness_lufs: float | None) -> str:
    loudness = "silent" if loudness_lufs is None else f"{loudness_lufs:.1f} LUFS"
    return f"  {path}  {loudness}"


def _rounded(loudness_lufs: float | None) -> float | None:
    return None if loudness_lufs is None else round(loudness_lufs, 2)
