"""Jobs that split a song into stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.separate import SeparateRequest
from mashup_worker.pipelines.song import DEVICE_STAGES, STAGES, split_song
from mashup_worker.queue.contracts import ModelOutput, SeparateInput, SeparateOutput, StemOutput
from mashup_worker.worker.handlers.files import called, rounded, stored_audio
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.song import SplitSong
    from mashup_worker.worker.work import StoredFile, Work

_SONG = "input_data.audio"


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
        return STAGES

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
            done = split_song(
                separator,
                SeparateRequest(paths[_SONG], targets, EncodeOptions(request.format), self.limits),
                analyze=request.analyze,
                device=work.models.device,
                on_progress=work.on_progress,
            )

        def output(stored: Mapping[str, StoredFile]) -> SeparateOutput:
            return _output(stored, request, separator, done)

        return Product(done.files, output)


def _output(
    stored: Mapping[str, StoredFile],
    request: SeparateInput,
    separator: Separator,
    done: SplitSong,
) -> SeparateOutput:
    return SeparateOutput(
        stems=tuple(
            StemOutput(
                kind=stem.kind,
                **stored_audio(
                    stored, stem.path.name, request.format, stem.duration_s, stem.loudness_lufs
                ),
            )
            for stem in done.separated.stems
        ),
        analysis=done.analysis.analysis.as_dict() if done.analysis else None,
        model=ModelOutput(
            name=separator.name, device=separator.device, precision=separator.precision
        ),
        timings_s=rounded(done.timings_s, DEVICE_STAGES),
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
