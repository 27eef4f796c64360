"""The benchmark of recordings, on sounds made here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from benchmarks import references, results
from benchmarks.recordings import analyze, main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

RATE_HZ = 22_050
BEATS = np.arange(0.5, 30, 0.5)


def clicks() -> NDArray[np.float64]:
    """Half a minute of clicks at 120 BPM over A minor."""
    times = np.arange(30 * RATE_HZ) / RATE_HZ
    chord = np.outer((110.0, 220.0, 261.63, 329.63), times)
    out: NDArray[np.float64] = 0.1 * np.sin(2 * np.pi * chord).sum(axis=0)
    for beat in BEATS:
        start = round(beat * RATE_HZ)
        out[start : start + 200] += 0.5 * np.hanning(200)
    return out


def test_a_folder_is_compared_with_its_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, known, kept = tmp_path / "songs", tmp_path / "references.json", tmp_path / "kept.json"
    folder.mkdir()
    soundfile.write(folder / "clicks.wav", clicks(), RATE_HZ)
    (path,) = references.recordings(folder)
    pulse = {"tempo_bpm": 120.0, "beats_s": BEATS.tolist()}
    one = {"file": "clicks.wav", "beats": {"a": pulse, "b": pulse}, "keys": {"a": "A minor"}}
    name = references.digest(path)
    known.write_text(json.dumps({name: one}), encoding="utf-8")
    kept.write_text(json.dumps({name: analyze(path)}), encoding="utf-8")
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    arguments = [str(folder), str(known), "--analyses", str(kept)]
    monkeypatch.setattr(sys, "argv", ["recordings", *arguments])
    main()
    published = (tmp_path / "results/recordings.md").read_text(encoding="utf-8")
    assert "| mashup_worker | agreed tempo | 1 | 100.0 % | 100.0 % |" in published
    assert "| mashup_worker | agreed beats | 1 | 100.0 % | 100.0 % |" in published
    assert "| agreed key | 1 | 100.0 % | 1.000 |" in published


def test_references_come_from_the_first_minutes_of_a_file(tmp_path: Path) -> None:
    sound = np.stack([clicks(), np.zeros(30 * RATE_HZ)], axis=1)
    soundfile.write(tmp_path / "clicks.wav", sound, RATE_HZ)
    samples = references.samples_of(tmp_path / "clicks.wav")
    assert samples.shape == (30 * references.RATE_HZ,)
    assert np.abs(samples[::2] - 0.5 * sound[:, 0]).max() < 0.02
