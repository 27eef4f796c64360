"""Decoding of files with defects against ffmpeg: the same length and sound, or an error.

Facts about ffmpeg are recorded in `tests/defects/facts.json`; where ffmpeg is installed, its
samples are compared too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.audio.decode import open_decoder
from mashup_worker.errors import InvalidInput
from tests.defects.facts import TABLE, digest, ffmpeg_samples, levels
from tests.defects.files import FORMATS, defects
from tests.unit.audio_fixtures import needs_ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

FACTS = json.loads(TABLE.read_text(encoding="utf-8"))

DAMAGES = {
    *("start cut", "end cut", "last bytes cut", "hole of zeros", "hole of junk", "bytes missing"),
    *("junk inserted", "declares more", "declares fewer"),
}
"""Defects for which an error is an answer: sound is missing, or the header contradicts it."""

GARBLED = {"8k.mp3: joined, other rate"}
"""ffmpeg plays the second song at the rate of the first one."""

FRAME = 1_152


def decoded(path: Path, channels: int) -> tuple[np.ndarray, tuple[str, ...], str]:
    """Return samples, warnings, and the error; samples have the shape `(samples, channels)`."""
    try:
        with open_decoder(path) as decoder:
            blocks = list(decoder.blocks())
            return torch.cat(blocks, 1).numpy().T, decoder.warnings, ""
    except InvalidInput as error:
        return np.zeros((0, channels), np.float32), (), error.message


def tolerance(name: str, defect: str) -> tuple[int, int]:
    """Return how many samples fewer and more than ffmpeg's are right.

    ffmpeg adds a few samples where a link of a chain begins, plays the first frame at a new rate
    without conversion, and loses frames of FLAC where two files meet.
    """
    if defect.startswith("joined"):
        if name.endswith(("ogg", "opus")):
            return 512, 512
        if name.endswith("flac"):
            return 0, 12_000
        return (FRAME, FRAME) if "rate" in defect else (0, 0)
    if defect in DAMAGES:
        return FRAME, FRAME
    return 0, 0


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / f"song.{name}"
    path.write_bytes(data)
    return path


def test_the_table_is_large_enough() -> None:
    assert len(FACTS) >= 300
    assert sum(length is not None for _, length, _ in FACTS.values()) >= 250


@pytest.mark.parametrize("name", FORMATS)
def test_each_defect_gives_the_length_and_levels_of_ffmpeg_or_an_error(
    name: str, tmp_path: Path
) -> None:
    channels, wrong, compared = FORMATS[name][2], {}, 0
    for defect, data in defects(name):
        known_digest, length, known_levels = FACTS[f"{name}: {defect}"]
        samples, warnings, error = decoded(written(tmp_path, name, data), channels)
        if known_digest != digest(data) or f"{name}: {defect}" in GARBLED:
            continue  # another version of the encoder
        compared += 1
        if error:
            if length is not None and defect not in DAMAGES:
                wrong[defect] = error
            continue
        if length is None:
            continue  # more than ffmpeg decodes
        fewer, more = tolerance(name, defect)
        if not length - fewer <= len(samples) <= length + more:
            wrong[defect] = f"{len(samples)} instead of {length} samples {warnings}"
        elif (fewer, more) == (0, 0) and not np.allclose(levels(samples), known_levels, atol=8e-3):
            wrong[defect] = f"{levels(samples)} instead of {known_levels}"
    assert wrong == {}
    assert compared >= 15 or not known_encoder(name)


def known_encoder(name: str) -> bool:
    """Return whether the encoder here makes the file that the table was recorded from."""
    return bool(FACTS[f"{name}: clean"][0] == digest(next(defects(name))[1]))


@needs_ffmpeg
@pytest.mark.parametrize("name", FORMATS)
def test_each_defect_gives_the_samples_of_ffmpeg(name: str, tmp_path: Path) -> None:
    channels, wrong = FORMATS[name][2], {}
    for defect, data in defects(name):
        path = written(tmp_path, name, data)
        samples, _, error = decoded(path, channels)
        if error or tolerance(name, defect) != (0, 0):
            continue
        wanted = ffmpeg_samples(path, channels)
        if not len(wanted):
            continue
        if len(samples) != len(wanted):
            wrong[defect] = f"{len(samples)} instead of {len(wanted)} samples"
            continue
        different = np.flatnonzero(np.abs(samples - wanted).max(axis=1) > 1e-3)
        # ffmpeg has another bit reservoir in the frames after the one that it loses.
        allowed = 4 * FRAME if "tags" in defect else FRAME
        if len(different) > allowed:
            wrong[defect] = f"{len(different)} samples from {different[0]} on"
    assert wrong == {}


@pytest.mark.parametrize("name", [name for name in FORMATS if name.endswith("mp3")])
def test_no_gap_in_an_mp3_makes_a_burst_and_each_has_a_warning(name: str, tmp_path: Path) -> None:
    channels = FORMATS[name][2]
    files = dict(defects(name))
    clean, warnings, _ = decoded(written(tmp_path, name, files["clean"]), channels)
    assert warnings == ()
    peak = 1.1 * float(np.abs(clean).max())
    for defect in ("hole of zeros", "hole of junk", "bytes missing", "junk inserted", "start cut"):
        samples, warnings, error = decoded(written(tmp_path, name, files[defect]), channels)
        assert not error
        assert float(np.abs(samples).max()) <= peak, defect
        if defect != "start cut":
            (gap,) = (warning for warning in warnings if " s: damaged or missing" in warning)
            assert 0.5 < float(gap.split()[0]) < 1.0, defect
