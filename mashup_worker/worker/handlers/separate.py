"""Jobs that split a song into stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.analyze import analyze_file, analyze_stem_files
from mashup_worker.pipelines.separate import SeparateRequest, separate_file
from mashup_worker.queue.contracts import ModelOutput, SeparateInput, SeparateOutput, StemOutput
from mashup_worker.worker.handlers.files import called, rounded, stored_audio, with_peaks
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.analysis.result import AnalyzeResult
    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separate import SeparateResult
    from mashup_worker.worker.work import StoredFile, Work

_SONG = "input_data.audio"
_STAGES = {
    "decode": 0.03,
    "separate": 0.75,
    "encode": 0.08,
    "listen": 0.04,
    "harmony": 0.03,
    "rhythm": 0.04,
    "peaks": 0.03,
}
_LOSSLESS = ("flac", "wav")


@dataclass(frozen=True)
class SeparateHandler:
    """Splits a song, analyses it, and draws the stems' waveforms. A `Handler`.

    Attributes:
        limits: what the song may measure.
    """

    limits: DecodeLimits

    @property
    def stages(self) -> Mapping[str, float]:
        """Shares of the time, most of which the network takes."""
        return _STAGES

    def gather(self, work: Work) -> Sources:
        """The song."""
        return Sources({_SONG: work.inputs.fetch(_request(work).audio, _SONG)})

    def settings(self, work: Work) -> Mapping[str, Any]:
        """The network with its arithmetic, and what is written."""
        request, separator = _request(work), _separator(work)
        return {
            "model": separator.name,
            "precision": separator.precision,
            "stems": list(request.stems or separator.stems),
            "format": request.format,
            "analyze": request.analyze,
        }

    def make(self, work: Work, sources: Sources) -> Product:
        """Split and analyse the song."""
        request, separator = _request(work), _separator(work)
        paths = sources.paths
        kinds = tuple(dict.fromkeys(request.stems or separator.stems))
        targets = {kind: work.folder / f"{kind}.{request.format}" for kind in kinds}
        with called(paths):
            done = separate_file(
                separator,
                SeparateRequest(paths[_SONG], targets, EncodeOptions(request.format), self.limits),
                work.on_progress,
            )
            analysis = self._analysis(work, request, separator, targets, paths[_SONG])
        files = with_peaks(work, {path.name: path for path in targets.values()})

        def output(stored: Mapping[str, StoredFile]) -> SeparateOutput:
            return _output(stored, request, separator, done, analysis)

        return Product(files, output)

    def _analysis(
        self,
        work: Work,
        request: SeparateInput,
        separator: Separator,
        targets: Mapping[str, Path],
        song: Path,
    ) -> AnalyzeResult | None:
        if not request.analyze:
            return None
        device, report = work.models.device, work.on_progress
        if set(targets) == set(separator.stems) and request.format in _LOSSLESS:
            return analyze_stem_files(targets, device=device, on_progress=report)
        return analyze_file(song, limits=self.limits, device=device, on_progress=report)


def _output(
    stored: Mapping[str, StoredFile],
    request: SeparateInput,
    separator: Separator,
    done: SeparateResult,
    analysis: AnalyzeResult | None,
) -> SeparateOutput:
    timings_s = {**done.timings_s, **(analysis.timings_s if analysis else {})}
    return SeparateOutput(
        stems=tuple(
            StemOutput(
                kind=stem.kind,
                **stored_audio(
                    stored, stem.path.name, request.format, stem.duration_s, stem.loudness_lufs
                ),
            )
            for stem in done.stems
        ),
        analysis=analysis.analysis.as_dict() if analysis else None,
        model=ModelOutput(
            name=separator.name, device=separator.device, precision=separator.precision
        ),
        timings_s=rounded(timings_s, ("separate", "harmony", "rhythm")),
    )


def _request(work: Work) -> SeparateInput:
    assert isinstance(work.request, SeparateInput), "handlers get their own type"  # noqa: S101
    return work.request


def _separator(work: Work) -> Separator:
    request = _request(work)
    separator = work.models.separator(request.model)
    for kind in request.stems or ():
        if kind.removeprefix("no_") not in separator.stems:
            made = ", ".join(separator.stems)
            raise InvalidInput(f"input_data.stems: {separator.name} makes {made}, and no {kind}")
    return separator
