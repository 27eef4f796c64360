"""The songs: each module holds one score as data and the arrangement that plays it."""

from __future__ import annotations

from samples.songs import drum_and_bass, hiphop, house

SONGS = (house.SONG, hiphop.SONG, drum_and_bass.SONG)
