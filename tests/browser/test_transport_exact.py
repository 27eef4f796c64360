"""The transport plays exactly the samples of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from tests.browser import songs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page

    from tests.browser.server import FileServer

RENDER = "async (options) => (await import('/support/harness.js')).render(options)"


class Rendered(NamedTuple):
    """What a transport played: samples `(frames, 2)`, and its state at some frames."""

    samples: songs.Samples
    log: list[dict[str, Any]]


def render(page: Page, files: FileServer, *names: str, **options: object) -> Rendered:
    log = page.evaluate(RENDER, {"names": names, "rate": 44_100, **options})
    raw = np.frombuffer(files.received["rendered"], np.float32)
    return Rendered(raw.reshape(2, -1).T, log)


def start_of(played: songs.Samples) -> int:
    """Return the first frame that isn't silent."""
    return int(np.flatnonzero(played[:, 0])[0])


def integers(samples: songs.Samples, lowest: int, highest: int) -> NDArray[np.int64]:
    """Return samples as integers, of which the lowest stands for -1 and the highest for 1."""
    scale = np.where(samples < 0, -lowest, highest)
    return np.rint(samples.astype(np.float64) * scale).astype(np.int64)


@pytest.mark.parametrize(
    ("rate", "channels", "bits", "samples"),
    [
        (44_100, 2, 16, 12 * 44_100 + 1),
        (48_000, 1, 24, 10 * 48_000 - 7),
        (48_000, 2, 24, 4_096 * 13),
        (44_100, 1, 16, 1_000),
    ],
    ids=["stereo-16", "mono-24", "whole-frames", "less-than-a-frame"],
)
def test_slices_equal_the_file(
    page: Page, files: FileServer, rate: int, channels: int, bits: int, samples: int
) -> None:
    audio = songs.noise(samples, channels, level=1.0)
    stored = songs.write(files.folder / "song.flac", audio, rate, f"PCM_{bits}")
    played = render(page, files, "song", rate=rate, seconds=samples / rate + 0.5).samples
    start, full = start_of(played), 2 ** (bits - 1)
    wanted = np.broadcast_to(integers(stored, -full, full), (samples, 2))
    # Chromium maps the highest of 16 bits to 1, as it maps the lowest to -1.
    highest = full - 1 if bits == 16 else full
    assert np.array_equal(integers(played[start : start + samples], -full, highest), wanted)
    assert not played[start + samples :].any()


def test_silence_is_silent(page: Page, files: FileServer) -> None:
    songs.write(files.folder / "song.flac", np.zeros((3 * 44_100, 2), np.float32))
    played, log = render(page, files, "song", seconds=3.5, steps=[{"at": 2.0}])
    assert not played.any()
    assert log[-1]["position"] > 1.8 * 44_100


RATE = 44_100
STEP = 2.0**-23
"""A step of 24 bits: browsers compute start times with an error that moves samples by less."""


@pytest.fixture(scope="module")
def song(files: FileServer) -> songs.Samples:
    """Noise of 30 s in 24 bits, of which a float holds every value."""
    return songs.write(files.folder / "noise.flac", songs.noise(30 * RATE + 17), RATE, "PCM_24")


def assert_plays(
    rendered: Rendered,
    stored: songs.Samples,
    at_s: float,
    seconds: float,
    loop: tuple[int, int] = (0, 0),
) -> None:
    """Expect the samples from the position noted at a time on, for some seconds."""
    noted = next(one for one in rendered.log if one["frame"] >= at_s * RATE)
    frame, position, count = noted["frame"], noted["position"], round(seconds * RATE)
    wanted = position + np.arange(count)
    start, end = loop
    if end > position:
        beyond = wanted >= end
        wanted[beyond] = start + (wanted[beyond] - end) % (end - start)
    played = rendered.samples[frame : frame + count]
    different = np.flatnonzero((abs(played - stored[wanted]) > STEP).any(axis=1))
    assert not len(different), f"{len(different)} of {count} differ, from {different[0]} on"


def test_seeking_is_exact_to_the_sample(page: Page, files: FileServer, song: songs.Samples) -> None:
    target = 17 * RATE + 12_345
    seek = {"at": 5.5, "call": "seek", "with": [target / RATE]}
    played = render(page, files, "noise", seconds=16, steps=[{"at": 1}, seek, {"at": 7}])
    assert_plays(played, song, 1, 4.4)
    assert_plays(played, song, 7, 8)
    (begin,) = np.flatnonzero((played.samples == song[target]).all(axis=1))
    assert 0 < begin - 5.5 * RATE < 0.1 * RATE
    assert_plays(played._replace(log=[{"frame": begin, "position": target}]), song, 5.5, 8)


def test_playing_starts_where_it_was_sought(
    page: Page, files: FileServer, song: songs.Samples
) -> None:
    position = 29 * RATE + 3
    played, _ = render(page, files, "noise", seconds=3, **{"from": position / RATE})
    start = start_of(played)
    assert np.array_equal(played[start : start + RATE + 14], song[position:])
    assert not played[start + RATE + 14 :].any()


@pytest.mark.parametrize(
    ("start", "end"),
    [(3 * RATE + 1, 4 * RATE - 77), (1_000, 12_100), (2 * RATE, 20 * RATE + 5)],
    ids=["bar", "short", "longer-than-slices"],
)
def test_a_loop_is_exact_to_the_sample(
    page: Page, files: FileServer, song: songs.Samples, start: int, end: int
) -> None:
    loop = {"startS": start / RATE, "endS": end / RATE}
    played = render(page, files, "noise", seconds=45, loop=loop, steps=[{"at": 0.1}])
    assert_plays(played, song, 0.1, 44, (start, end))


def test_a_loop_that_is_set_and_ended_while_playing_leaves_no_seam(
    page: Page, files: FileServer, song: songs.Samples
) -> None:
    start, end = 2 * RATE + 5, 9 * RATE - 1_001
    steps = [
        {"at": 1},
        {"at": 3, "loop": {"startS": start / RATE, "endS": end / RATE}},
        {"at": 12, "loop": None},
    ]
    played = render(page, files, "noise", seconds=35, steps=steps)
    assert_plays(played, song, 1, 11, (start, end))
    assert_plays(played, song, 12, 20)


def test_a_loop_that_becomes_shorter_ends_in_time(
    page: Page, files: FileServer, song: songs.Samples
) -> None:
    loops = [(2 * RATE, 12 * RATE), (RATE, 5 * RATE + 9), (0, 7 * RATE)]
    spans = [{"startS": start / RATE, "endS": end / RATE} for start, end in loops]
    steps = [{"at": 3, "loop": spans[1]}, {"at": 8.5, "loop": spans[2]}]
    played = render(page, files, "noise", seconds=24, steps=[{"at": 1}, *steps], loop=spans[0])
    assert_plays(played, song, 1, 8, loops[1])
    assert_plays(played, song, 8.5, 15, loops[2])


def test_a_loop_before_the_position_moves_it_to_the_start(
    page: Page, files: FileServer, song: songs.Samples
) -> None:
    loop = {"at": 8, "loop": {"startS": 2, "endS": 4}}
    played = render(page, files, "noise", seconds=16, steps=[loop, {"at": 8.5}])
    assert 2 * RATE <= played.log[-2]["position"] < 4 * RATE
    assert_plays(played, song, 8.5, 7, (2 * RATE, 4 * RATE))


def test_tracks_of_different_lengths_stay_aligned(
    page: Page, files: FileServer, song: songs.Samples
) -> None:
    left, right = song.copy()[: 13 * RATE], song.copy()[: 21 * RATE + 1]
    left[:, 1], right[:, 0] = 0, 0
    songs.write(files.folder / "left.flac", left, RATE, "PCM_24")
    songs.write(files.folder / "right.flac", right, RATE, "PCM_24")
    loop = {"startS": 5, "endS": 20}
    steps = [{"at": 6, "call": "seek", "with": [10.5]}, {"at": 7}]
    played = render(page, files, "left", "right", seconds=35, loop=loop, steps=steps)
    both = right.copy()
    both[: len(left)] += left
    assert_plays(played, both, 7, 27, (5 * RATE, 20 * RATE))


@pytest.mark.slow
def test_half_an_hour_holds_a_bounded_number_of_samples(page: Page, files: FileServer) -> None:
    rate, minutes, names = 4_000, 30, ["a", "b"]
    for name in names:
        songs.write(files.folder / f"{name}.flac", songs.tone(200 * rate, 440, rate), rate)
    loop = {"startS": 0, "endS": 200}
    seeks = [{"at": at, "call": "seek", "with": [at % 190]} for at in range(60, 60 * minutes, 61)]
    options = {"names": names, "rate": rate, "seconds": 60 * minutes}
    log = page.evaluate(RENDER, {**options, "loop": loop, "steps": seeks, "send": False})
    assert len(log) > 450
    assert {one["state"] for one in log} == {"playing"}
    slices = len(names) * 8 * rate * 4
    assert max(one["bytes"] for one in log) <= 6 * slices
