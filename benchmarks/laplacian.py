"""Laplacian segmentation with librosa's functions.

B. McFee and D. Ellis, "Analyzing song structure with spectral clustering", ISMIR 2014, as in the
example of librosa's documentation: a recurrence matrix of constant-Q spectra on the beats, joined
with the similarity of neighbors' MFCCs, and clusters of the first eigenvectors of its Laplacian.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import librosa
import numpy as np
import scipy
from sklearn.cluster import KMeans

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 22_050
_BINS_PER_OCTAVE, _OCTAVES = 36, 7
_MEDIAN_BEATS = 9


def laplacian_segments(
    samples: NDArray[np.float32], kinds: int
) -> tuple[NDArray[np.float64], list[str]]:
    """Return sections of mono sound at `RATE_HZ` and their labels.

    Args:
        samples: shape `(samples,)`.
        kinds: number of labels, which the method cannot find.
    """
    spectrum = librosa.amplitude_to_db(
        np.abs(
            librosa.cqt(
                samples,
                sr=RATE_HZ,
                bins_per_octave=_BINS_PER_OCTAVE,
                n_bins=_OCTAVES * _BINS_PER_OCTAVE,
            )
        ),
        ref=np.max,
    )
    _, beats = librosa.beat.beat_track(y=samples, sr=RATE_HZ, trim=False)
    edges = librosa.util.fix_frames(beats, x_min=0, x_max=spectrum.shape[1])
    times_s = librosa.frames_to_time(edges, sr=RATE_HZ)
    by_beat = librosa.util.sync(spectrum, edges.tolist(), aggregate=np.median)[
        :, : len(times_s) - 1
    ]
    vectors = _eigenvectors(_graph(samples, by_beat, edges))
    unit = vectors[:, :kinds] / np.maximum(
        np.cumsum(vectors**2, axis=1)[:, kinds - 1 : kinds] ** 0.5, 1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct beats than clusters
        labels = KMeans(n_clusters=kinds, n_init=10, random_state=0).fit_predict(unit)
    starts = np.concatenate([[0], 1 + np.flatnonzero(labels[1:] != labels[:-1])])
    borders = times_s[np.append(starts, len(labels))]
    return np.stack([borders[:-1], borders[1:]], axis=1), [str(labels[at]) for at in starts]


def _graph(
    samples: NDArray[np.float32], by_beat: NDArray[np.float32], edges: NDArray[np.intp]
) -> NDArray[np.float64]:
    recurrence = librosa.segment.recurrence_matrix(by_beat, width=3, mode="affinity", sym=True)
    diagonal = librosa.segment.timelag_filter(scipy.ndimage.median_filter)
    paths = diagonal(recurrence, size=(1, 7))
    timbre = librosa.util.sync(librosa.feature.mfcc(y=samples, sr=RATE_HZ), edges.tolist())
    timbre = timbre[:, : by_beat.shape[1]]
    steps = np.sum(np.diff(timbre, axis=1) ** 2, axis=0)
    near = np.exp(-steps / max(float(np.median(steps)), 1e-9))
    chain = np.diag(near, k=1) + np.diag(near, k=-1)
    weight, other = chain.sum(axis=1), paths.sum(axis=1)
    share = weight.dot(weight + other) / np.sum((weight + other) ** 2)
    return np.asarray(share * paths + (1 - share) * chain)


def _eigenvectors(graph: NDArray[np.float64]) -> NDArray[np.float64]:
    laplacian = scipy.sparse.csgraph.laplacian(graph, normed=True)
    _, vectors = scipy.linalg.eigh(laplacian)
    return np.asarray(scipy.ndimage.median_filter(vectors, size=(_MEDIAN_BEATS, 1)))
