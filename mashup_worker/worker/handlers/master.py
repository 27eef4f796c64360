"""Jobs that master a mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.decode import decode
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.master import MasterRequest, write_master
from mashup_worker.pipelines.waveforms import write_waveforms
from mashup_worker.queue.contracts import MasterInput, MasterOutput, StoredAudio
from mashup_worker.worker.handlers.files import called, rounded, stored_audio
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.pipelines.master import MasterResult
    from mashup_worker.worker.work import StoredFile, Work

_SONG = "input_data.audio"
_STAGES = {"decode": 0.1, "master": 0.8, "peaks": 0.1}


@dataclass(frozen=True)
class MasterHandler:
    """Brings a mix to a loudness, with its true peaks limited. A `Handler`.

    Attributes:
        limits: what the mix may measure.
    """

    limits: DecodeLimits

    @property
    def stages(self) -> Mapping[str, float]:
        """Shares of the time."""
        return _STAGES

    def gather(self, work: Work) -> Sources:
        """The mix."""
        return Sources({_SONG: work.inputs.fetch(_request(work).audio, _SONG)})

    def settings(self, work: Work) -> Mapping[str, Any]:
        """What it is brought to."""
        return _request(work).model_dump(exclude={"audio"})

    def make(self, work: Work, sources: Sources) -> Product:
        """Master the mix."""
        request, clock, paths = _request(work), Clock(), sources.paths
        work.on_progress("decode", 0.0)
        name = f"master.{request.format}"
        wanted = MasterRequest(request.loudness_lufs, request.true_peak_dbtp)
        with called({**paths, name: work.folder / name}):
            audio = decode(paths[_SONG], self.limits)
            clock.lap("decode")
            done = write_master(
                audio,
                work.folder / name,
                wanted,
                EncodeOptions(request.format),
                lambda _stage, share: work.on_progress("master", share),
            )
        files = write_waveforms({done.path: done.played}, work.on_progress)

        def output(stored: Mapping[str, StoredFile]) -> MasterOutput:
            facts = stored_audio(
                stored, name, request.format, done.played.duration_s, done.loudness.integrated_lufs
            )
            return MasterOutput(
                audio=StoredAudio(**facts),
                report=_report(done, wanted),
                timings_s=rounded({**clock.laps_s, **done.timings_s}, ()),
            )

        return Product(files, output)


def _report(done: MasterResult, wanted: MasterRequest) -> dict[str, Any]:
    loudness = done.loudness
    return {
        "loudness_lufs": _two_digits(loudness.integrated_lufs),
        "loudness_range_lu": _two_digits(loudness.range_lu),
        "true_peak_dbtp": _two_digits(loudness.true_peak_dbtp),
        "target_lufs": wanted.loudness_lufs,
        "target_dbtp": wanted.true_peak_dbtp,
        "gain_db": _two_digits(done.gain_db),
        "limiting_db": _two_digits(done.limiting_db),
        "notes": list(done.notes),
    }


def _two_digits(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _request(work: Work) -> MasterInput:
    assert isinstance(work.request, MasterInput), "handlers get their own type"  # noqa: S101
    return work.request
