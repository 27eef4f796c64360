"""Parts that handlers share: output fields of stored files, timings, and names in messages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.player_names import waveform_name
from mashup_worker.errors import MashupError
from mashup_worker.queue.job_outputs import ModelLicense, ModelOutput, StoredAudio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.master import MasterResult
    from mashup_worker.vocabulary import FormatName
    from mashup_worker.worker.handler import StoredFile


def stored_audio(
    stored: Mapping[str, StoredFile],
    name: str,
    *,
    audio_format: FormatName,
    duration_s: float,
    loudness_lufs: float | None,
) -> dict[str, Any]:
    """Return the fields of a `StoredAudio`."""
    file, peaks = stored[name], stored[waveform_name(name)]
    return {
        "key": file.key,
        "url": file.url,
        "url_expires_at": file.url_expires_at,
        "format": audio_format,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "duration_s": round(duration_s, 6),
        "loudness_lufs": None if loudness_lufs is None else round(loudness_lufs, 2),
        "peaks_key": peaks.key,
        "peaks_url": peaks.url,
    }


def stored_master(
    stored: Mapping[str, StoredFile], master: MasterResult, audio_format: FormatName
) -> StoredAudio:
    """Return the output of a mastered file."""
    fields = stored_audio(
        stored,
        master.path.name,
        audio_format=audio_format,
        duration_s=master.played.duration_s,
        loudness_lufs=master.loudness.integrated_lufs,
    )
    return StoredAudio(**fields)


def model_output(separator: Separator) -> ModelOutput:
    """Return the output about the model that separated a song."""
    return ModelOutput(
        name=separator.name,
        device=separator.device,
        precision=separator.precision,
        license=ModelLicense.model_validate(separator.license.as_dict()),
        weights_sha256=separator.weights_sha256,
    )


def model_settings(separator: Separator) -> dict[str, str]:
    """Return the settings that name a model, with a digest of weights that its name leaves open."""
    digest = separator.weights_sha256
    return {"model": separator.name, **({} if digest is None else {"weights_sha256": digest})}


def rounded_timings(
    timings_s: Mapping[str, float], device_stages: tuple[str, ...] = ()
) -> dict[str, float]:
    """Return rounded seconds per stage, and under `device` the sum of the device's stages."""
    table = {stage: round(seconds, 3) for stage, seconds in timings_s.items()}
    table["device"] = round(sum(timings_s.get(stage, 0.0) for stage in device_stages), 3)
    return table


@contextmanager
def rename_paths(names: Mapping[str, Path]) -> Iterator[None]:
    """Replace local paths in the messages of errors by the names that the job's input uses."""
    try:
        yield
    except MashupError as error:
        message = error.message
        for name, path in sorted(names.items(), key=lambda pair: -len(str(pair[1]))):
            message = message.replace(str(path), name)
        if message == error.message:
            raise
        raise type(error)(message) from error
