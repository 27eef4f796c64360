"""Result files of `mashup mix`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.names import real_path
from mashup_worker.commands.shared.output import json_line
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import check_writable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.mixing.plan import Plan
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.mashup.make import MashupResult


@dataclass(frozen=True)
class MixOutputs:
    """Paths of the mashup, its HTML report, and a folder of the tracks whose sum it is."""

    target: Path
    report: Path | None
    stems: Path | None

    def check(self, inputs: Sequence[Path]) -> None:
        """Check that the results can be written and overwrite no input.

        Raises:
            InvalidInput: a result would overwrite an input, or another result.
            StorageFailed: a result is not writable.
        """
        plan, measurements = self._beside
        options = {self.target: f"-o {self.target}"}
        options |= {plan: "the plan", measurements: "the measurements"}
        if self.report is not None:
            if self.report in options:
                raise InvalidInput(f"--report {self.report}: it would overwrite another result")
            options[self.report] = f"--report {self.report}"
        taken = {real_path(path) for path in inputs}
        for path, option in options.items():
            if real_path(path) in taken:
                raise InvalidInput(f"{option}: it would overwrite {path}, a source of the mashup")
            check_writable(path)

    def check_stems(self, plan: Plan, folder: Path) -> None:
        """Check the paths of the tracks of a plan, whose own paths are relative to `folder`."""
        if self.stems is None:
            return
        taken = {real_path(folder / source.path) for source in plan.sources.values()}
        for source in plan.sources.values():
            path = _stem_path(self.stems, source.song, source.kind)
            if not real_path(path).is_relative_to(real_path(self.stems)):
                raise InvalidInput(f"--keep-stems: {source.song!r} is not a valid folder name")
            if real_path(path) in taken:
                raise InvalidInput(f"--keep-stems {self.stems}: it would overwrite {path}")
            check_writable(path)

    def write(self, result: MashupResult, on_progress: OnProgress) -> None:
        """Write all results except the mashup itself.

        Raises:
            StorageFailed: a file cannot be written.
        """
        from mashup_worker.mixing.plan_document import format_plan

        plan, measurements = self._beside
        write_atomically(plan, format_plan(result.plan).encode())
        write_atomically(measurements, (json_line(result.report.as_dict()) + "\n").encode())
        if self.stems is not None:
            _write_stems(self.stems, result, on_progress)
        if self.report is not None:
            from mashup_worker.report.mix_page import MixPage, write_mix_page

            on_progress("report", 0.0)
            played, report = result.master.played, result.report
            page = MixPage(
                title=self.target.stem,
                plan=result.plan,
                mix=played,
                report=report,
                timings_s=result.timings_s,
            )
            write_mix_page(page, self.report)

    @property
    def _beside(self) -> tuple[Path, Path]:
        """Plan and measurements, beside the mashup."""
        return self.target.with_suffix(".plan.json"), self.target.with_suffix(".report.json")


def _stem_path(folder: Path, song: str, kind: str) -> Path:
    return folder / song / f"{kind}.wav"


def _write_stems(folder: Path, result: MashupResult, on_progress: OnProgress) -> None:
    from mashup_worker.audio.encode import open_writer
    from mashup_worker.audio.formats import EncodeOptions

    for done, track in enumerate(result.render.tracks):
        on_progress("stems", done / len(result.render.tracks))
        path, options = _stem_path(folder, track.song, track.kind), EncodeOptions("wav", 32)
        with open_writer(
            path, options, sample_rate=track.audio.sample_rate, channels=track.audio.channels
        ) as writer:
            writer.write(track.audio.samples)
