"""How large the steps are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of the measurements.

    Attributes:
        device: as commands name it.
        song_s: length of songs.
        mashup_s: length of the mashup.
        rounds: of separation, analysis and mashup.
        songs: of the pipeline.
        in_flight: songs in flight at once.
        processes: numbers of worker processes that share the device.
        songs_each: songs of each of them.
        model: options that choose the networks.
        tests: files of the tests that need a GPU.
        test_options: for pytest.
        patience: factor of the steps' time limits.
    """

    device: str
    song_s: float
    mashup_s: float
    rounds: int
    songs: int
    in_flight: int
    processes: tuple[int, ...]
    songs_each: int
    model: tuple[str, ...]
    tests: tuple[str, ...]
    test_options: tuple[str, ...] = ()
    patience: float = 1.0
