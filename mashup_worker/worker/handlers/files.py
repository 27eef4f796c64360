"""What handlers share: how files read in outputs, and messages that name what users know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import MashupError
from mashup_worker.pipelines.waveforms import waveform_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mashup_worker.vocabulary import FormatName
    from mashup_worker.worker.work import StoredFile


def stored_audio(
    stored: Mapping[str, StoredFile],
    name: str,
    audio_format: FormatName,
    duration_s: float,
    loudness_lufs: float | None,
) -> dict[str, Any]:
    """The fields of a `StoredAudio`."""
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


def rounded(timings_s: Mapping[str, float], device_stages: tuple[str, ...]) -> dict[str, float]:
    """Seconds a stage, and under `device` those that the device was needed for."""
    table = {stage: round(seconds, 3) for stage, seconds in timings_s.items()}
    table["device"] = round(sum(timings_s.get(stage, 0.0) for stage in device_stages), 3)
    return table


@contextmanager
def called(names: Mapping[str, Path]) -> Iterator[None]:
    """Errors raised inside call files by what the job calls them, not by where they lie here."""
    try:
        yield
    except MashupError as error:
        message = error.message
        for name, path in sorted(names.items(), key=lambda pair: -len(str(pair[1]))):
            message = message.replace(str(path), name)
        if message == error.message:
            raise
        raise type(error)(message) from error
