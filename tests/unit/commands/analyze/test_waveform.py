"""What a picture shows of a song: its samples, or the sum of its stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.commands.analyze.waveform import song_waveform
from mashup_worker.commands.shared.inputs import Song
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Path:
    soundfile.write(path, samples, 8_000, subtype="FLOAT")
    return path


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 300)
    with song_waveform(Song(write(tmp_path / "a.wav", samples), "a")) as waveform:
        assert (waveform.sample_rate, waveform.channels, waveform.length_samples) == (8_000, 1, 300)
        expected = torch.from_numpy(samples[100:250]).float()[None]
        torch.testing.assert_close(waveform.read(100, 250), expected)


def test_stems_of_any_length_and_channels_add_up(tmp_path: Path) -> None:
    vocals = write(tmp_path / "vocals.wav", np.full(100, 0.25))
    drums = write(tmp_path / "drums.wav", np.tile([0.5, -0.5], (200, 1)))
    song = Song(tmp_path, "song", {"vocals": vocals, "drums": drums})
    with song_waveform(song) as waveform:
        assert (waveform.channels, waveform.length_samples) == (2, 200)
        got = waveform.read(50, 200)
    assert got[:, :50].unique(dim=1).tolist() == [[0.75], [-0.25]]
    assert got[:, 50:].unique(dim=1).tolist() == [[0.5], [-0.5]]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidInput, match=r"gone\.wav"),
        song_waveform(Song(tmp_path / "gone.wav", "gone")),
    ):
        pass
