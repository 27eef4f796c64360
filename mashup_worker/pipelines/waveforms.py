"""Waveforms for players, written beside the audio files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.audio.peaks import write_peaks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mashup_worker.audio.signal import SampleSource


def waveform_name(name: str) -> str:
    """Return the name of the waveform of an audio file."""
    return f"{name.rpartition('.')[0]}.peaks.json"


def write_waveforms(
    sounds: Mapping[Path, SampleSource], on_progress: Callable[[str, float], None]
) -> dict[str, Path]:
    """Write the waveform of each audio file beside it; return audio files and waveforms by name.

    Raises:
        StorageFailed: a waveform cannot be written.
    """
    files = {path.name: path for path in sounds}
    for done, (path, sound) in enumerate(sounds.items()):
        on_progress("peaks", done / len(sounds))
        waveform = path.with_name(waveform_name(path.name))
        write_peaks(sound, waveform)
        files[waveform.name] = waveform
    on_progress("peaks", 1.0)
    return files
