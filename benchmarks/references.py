"""Beats and keys of recordings by other libraries, as a file for `benchmarks.recordings`.

    python -m benchmarks.references FOLDER references.json [--library essentia]

Adds the results of essentia, librosa and madmom to the file, by default of those that can be
imported. The project needs none of them. No version of Python runs all three, so that this module
runs on Python 3.9 and imports nothing else but numpy, scipy and soundfile. The trained models of
madmom are licensed for non-commercial use.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import soundfile

HEARD_S = 180
"""Seconds of each recording, from its start, that are analyzed."""

RATE_HZ = 44_100
SUFFIXES = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
ESSENTIA_KEY_PROFILES = ("edma", "bgate", "temperley")


def recordings(folder: Path) -> list[Path]:
    """Return the audio files of a folder and those below it, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def samples_of(path: Path) -> Any:
    """Return the start of a recording as float32, mono, 44.1 kHz."""
    with soundfile.SoundFile(path) as file:
        sound, rate = file.read(HEARD_S * file.samplerate, dtype="float32"), file.samplerate
    mono = sound if sound.ndim == 1 else sound.mean(axis=1)
    return mono if rate == RATE_HZ else scipy.signal.resample_poly(mono, RATE_HZ, rate)


def _essentia(samples: Any) -> dict[str, Any]:
    import essentia.standard

    rhythm = essentia.standard.RhythmExtractor2013(method="multifeature")
    tempo_bpm, beats_s, confidence, *_ = rhythm(samples)
    keys = {}
    for profile in ESSENTIA_KEY_PROFILES:
        tonic, mode, _ = essentia.standard.KeyExtractor(profileType=profile)(samples)
        keys[profile] = f"{tonic} {mode}"
    return {"beats": _beats(beats_s, tempo_bpm, confidence=float(confidence)), "keys": keys}


def _librosa(samples: Any) -> dict[str, Any]:
    import librosa

    tempo_bpm, beats_s = librosa.beat.beat_track(y=samples, sr=RATE_HZ, units="time")
    return {"beats": _beats(beats_s, np.atleast_1d(tempo_bpm)[0]), "keys": {}}


def _madmom(samples: Any) -> dict[str, Any]:
    from madmom.audio.signal import Signal
    from madmom.features.downbeats import DBNDownBeatTrackingProcessor, RNNDownBeatProcessor
    from madmom.features.key import CNNKeyRecognitionProcessor, key_prediction_to_label

    heard = Signal((32_767 * np.clip(samples, -1, 1)).astype(np.int16), RATE_HZ)
    track = DBNDownBeatTrackingProcessor(beats_per_bar=[3, 4], fps=100)
    times_s, numbers = np.reshape(track(RNNDownBeatProcessor()(heard)), (-1, 2)).T
    tempo_bpm = 60 / np.median(np.diff(times_s)) if len(times_s) > 1 else 0.0
    beats = _beats(times_s, tempo_bpm, downbeats_s=_rounded(times_s[numbers == 1]))
    return {
        "beats": beats,
        "keys": {"madmom": key_prediction_to_label(CNNKeyRecognitionProcessor()(heard))},
    }


LIBRARIES = {"essentia": _essentia, "librosa": _librosa, "madmom": _madmom}


def _beats(beats_s: Any, tempo_bpm: float, **more: Any) -> dict[str, Any]:
    return {"tempo_bpm": round(float(tempo_bpm), 2), "beats_s": _rounded(beats_s), **more}


def _rounded(times_s: Any) -> list[float]:
    return [round(float(time_s), 3) for time_s in times_s]


def add(folder: Path, output: Path, libraries: list[str]) -> None:
    """Add the results of libraries to a file, for the recordings that lack them."""
    found = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    for path in recordings(folder):
        one = found.setdefault(digest(path), {"beats": {}, "keys": {}})
        one["file"] = str(path.relative_to(folder))
        missing = [name for name in libraries if name not in one["beats"]]
        samples = samples_of(path) if missing else None
        for name in missing:
            got = LIBRARIES[name](samples)
            one["beats"][name] = got["beats"]
            one["keys"].update(got["keys"])
        # Written after every recording, since the libraries take minutes for a few of them.
        output.write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Find the references of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--library", choices=LIBRARIES, action="append")
    arguments = parser.parse_args()
    importable = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    add(arguments.folder, arguments.output, arguments.library or importable)


if __name__ == "__main__":
    main()
