"""Waveforms and frame indexes for players, written beside the audio files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mashup_worker.audio.frame_index import index_file
from mashup_worker.audio.peaks import write_peaks
from mashup_worker.audio.player_names import frame_index_name, waveform_name
from mashup_worker.system.cores import usable_processors
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mashup_worker.audio.signal import SampleSource


def write_waveforms(
    sounds: Mapping[Path, SampleSource], on_progress: Callable[[str, float], None]
) -> dict[str, Path]:
    """Write the waveform of each audio file beside it, and the frame index of each FLAC file.

    Returns all of these files and the audio files, by name.

    Raises:
        StorageFailed: a file cannot be written.
    """
    files = {path.name: path for path in sounds}
    with ThreadPoolExecutor(usable_processors()) as pool:
        indexes = [pool.submit(_write_index, path) for path in sounds if path.suffix == ".flac"]
        for done, (path, sound) in enumerate(sounds.items()):
            on_progress("peaks", done / len(sounds))
            waveform = path.with_name(waveform_name(path.name))
            write_peaks(sound, waveform)
            files[waveform.name] = waveform
        for written in indexes:
            index = written.result()
            files[index.name] = index
    on_progress("peaks", 1.0)
    return files


def _write_index(path: Path) -> Path:
    index = path.with_name(frame_index_name(path.name))
    write_atomically(index, index_file(path).as_json())
    return index
