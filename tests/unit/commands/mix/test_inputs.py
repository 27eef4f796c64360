"""Arguments that name the stems of songs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mashup_worker.commands.mix.inputs import songs_of_stems, stem_argument
from mashup_worker.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "path", "kind", "song"),
    [
        ("a/b/vocals.flac:vocals", "a/b/vocals.flac", "vocals", "b"),
        ("a/song.wav:drums", "a/song.wav", "drums", "song"),
        ("song.wav:Bass:My Song", "song.wav", "bass", "My Song"),
        ("c:/x.wav:other", "c:/x.wav", "other", "x"),
        ("12:30.wav:no_vocals:S", "12:30.wav", "no_vocals", "S"),
    ],
)
def test_a_stem_argument_has_file_kind_and_song(text: str, path: str, kind: str, song: str) -> None:
    found = stem_argument(text)
    assert (found.path, found.kind, found.song) == (Path(path), kind, song)


@pytest.mark.parametrize("text", ["song.wav", "song.wav:lute", "song.wav:vocals:", ":"])
def test_an_invalid_stem_argument_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="FILE:KIND"):
        stem_argument(text)


def test_a_kind_twice_in_a_song_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one already has drums"):
        songs_of_stems(["a.wav:drums:one", "b.wav:drums:one"])
