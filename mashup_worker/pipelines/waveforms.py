"""Waveforms for players, beside the sound files that they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.audio.decode import open_decoder
from mashup_worker.audio.peaks import write_peaks
from mashup_worker.audio.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def waveform_name(name: str) -> str:
    """The name of a sound file's waveform."""
    return f"{name.rpartition('.')[0]}.peaks.json"


def write_waveforms(
    sounds: Sequence[Path], on_progress: Callable[[str, float], None]
) -> dict[str, Path]:
    """Write the waveform of each sound file beside it.

    Args:
        sounds: the files.
        on_progress: called with the stage `peaks` and the share done.

    Returns:
        Sounds and waveforms by name.

    Raises:
        StorageFailed: a waveform can't be written.
    """
    files = {path.name: path for path in sounds}
    for done, path in enumerate(sounds):
        on_progress("peaks", done / len(sounds))
        waveform = path.with_name(waveform_name(path.name))
        with open_decoder(path) as decoder, Spool(decoder.rate_hz, decoder.channels) as spool:
            for block in decoder.blocks():
                spool.append(block)
            write_peaks(spool, waveform)
        files[waveform.name] = waveform
    on_progress("peaks", 1.0)
    return files
