"""Exports of seed tracks: files below the song's folder, named in its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from mashup_worker.seed.make import SeedSong, make_seed
from mashup_worker.seed.record import SeedRecord, SeedSettings, SeedSource
from tests.engines import Splitter
from tests.unit.audio_fixtures import write
from tests.unit.exports.daw import Daw
from tests.unit.music import even_beats
from tests.unit.music import song as music

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = SeedSettings(model="splitter")


def test_exports_are_stored_and_recorded(tmp_path: Path) -> None:
    audio = music(even_beats(118.0, 12.0), 12.0, sample_rate=44_100)
    file = write(tmp_path / "song.wav", audio)
    settings = PLAIN.model_copy(update={"export": ("dawproject", "native-stem", "loops")})
    assert settings.digest != PLAIN.digest
    song = SeedSong(file, "a" * 64, SeedSource(name="seeds/night.wav", bytes=1))
    made = make_seed(song, Splitter(0.5), settings, 60.0, lambda *_: None)
    assert SeedRecord.from_line(made.record.to_line()) == made.record
    key = made.record.exports["dawproject"]
    assert key == f"{made.record.folder}/export-dawproject.dawproject"
    daw = Daw(made.files[key])
    assert len(daw.sounds) == 2
    assert made.record.exports.keys() | {one.split()[1][:-1] for one in made.warnings} == {
        *(settings.export or ())
    }
    assert {*made.record.exports.values()} <= made.files.keys()


def test_earlier_settings_keep_their_digest() -> None:
    assert not {"export", "sum_exact"} & PLAIN.model_dump(exclude_none=True).keys()


def test_stems_add_up_to_the_song_in_integers(tmp_path: Path) -> None:
    audio = music(even_beats(118.0, 4.0), 4.0, sample_rate=44_100)
    file = write(tmp_path / "song.wav", audio)
    song = SeedSong(file, "a" * 64, SeedSource(name="seeds/night.wav", bytes=1))
    settings = PLAIN.model_copy(update={"sum_exact": True})
    made = make_seed(song, Splitter(0.3, high=0.45), settings, 60.0, lambda *_: None)
    stems = [soundfile.read(made.files[one.key], dtype="int16")[0] for one in made.record.stems]
    assert np.array_equal(sum(stems), soundfile.read(file, dtype="int16")[0])
