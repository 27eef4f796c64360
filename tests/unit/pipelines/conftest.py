"""Sample songs, loaded once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongLoader
from tests.unit.pipelines.sample_songs import NAMES, sample

if TYPE_CHECKING:
    from mashup_worker.mixing.song import MixSong


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SongCache:
    """Cache shared by all tests."""
    return SongCache(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="session")
def songs(cache: SongCache) -> tuple[MixSong, ...]:
    """Sample songs in the order of `NAMES`."""
    return SongLoader(cache, None).load([sample(name) for name in NAMES]).songs
