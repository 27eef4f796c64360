"""What handlers share: files with their waveforms, and messages that name what users know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.decode import open_decoder
from mashup_worker.audio.peaks import write_peaks
from mashup_worker.audio.spool import Spool
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mashup_worker.queue.contracts import AudioFormat
    from mashup_worker.worker.work import StoredFile, Work


def peaks_name(name: str) -> str:
    """The name of a sound file's waveform."""
    return f"{name.rpartition('.')[0]}.peaks.json"


def with_peaks(work: Work, names: Mapping[str, Path]) -> dict[str, Path]:
    """Sound files and the waveforms beside them, by name.

    Raises:
        StorageFailed: a waveform can't be written.
    """
    files = dict(names)
    for done, (name, path) in enumerate(names.items()):
        work.on_progress("peaks", done / len(names))
        with open_decoder(path) as decoder, Spool(decoder.rate_hz, decoder.channels) as spool:
            for block in decoder.blocks():
                spool.append(block)
            files[peaks_name(name)] = work.folder / peaks_name(name)
            write_peaks(spool, files[peaks_name(name)])
    work.on_progress("peaks", 1.0)
    return files


def stored_audio(
    stored: Mapping[str, StoredFile],
    name: str,
    audio_format: AudioFormat,
    duration_s: float,
    loudness_lufs: float | None,
) -> dict[str, Any]:
    """The fields of a `StoredAudio`."""
    file, peaks = stored[name], stored[peaks_name(name)]
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
