"""Names of the files for players that lie beside an audio file."""

from __future__ import annotations

WAVEFORM_SUFFIX, FRAME_INDEX_SUFFIX = ".peaks.json", ".frames.json"


def waveform_name(name: str) -> str:
    """Return the name or key of the waveform of an audio file."""
    return name.rpartition(".")[0] + WAVEFORM_SUFFIX


def frame_index_name(name: str) -> str:
    """Return the name or key of the frame index of a FLAC file."""
    return name.rpartition(".")[0] + FRAME_INDEX_SUFFIX


def waveform_beside(name: str) -> str:
    """Return the waveform that lies beside a frame index; any other name unchanged."""
    stem = name.removesuffix(FRAME_INDEX_SUFFIX)
    return name if stem == name else stem + WAVEFORM_SUFFIX


def frame_index_beside(waveform: str) -> str:
    """Return the name of the frame index beside a waveform."""
    return waveform.removesuffix(WAVEFORM_SUFFIX) + FRAME_INDEX_SUFFIX
