"""What songs of a mashup do together: a common tempo, phrases, transitions."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.phrases import Phrase, carrying, fullest_run, phrases, sung
from mashup_worker.mixing.planning.tempo import common_pace
from mashup_worker.mixing.planning.transitions import Stay, Turn, joined, play
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.song import Levels, MixSong, lufs
from mashup_worker.mixing.vibes import TRANSITIONS, VIBES, Transition
from tests.unit.mashups import RATE_HZ, seeded, song


def test_levels_are_loudness() -> None:
    audio = Audio(0.1 * torch.randn(2, 4 * RATE_HZ, generator=seeded(1)), RATE_HZ)
    assert lufs(Levels.of(audio).power(0, 4)) == pytest.approx(integrated_lufs(audio), abs=0.05)


def test_silence_and_what_lies_outside_do_not_sound() -> None:
    quiet = Levels.of(Audio(torch.zeros(1, RATE_HZ), RATE_HZ))
    assert not quiet.sounds(0, 1)
    loud = song(drums=range(16))
    assert loud.sounds("drums", 0, 16)
    assert not loud.sounds("drums", 16.5, 20)
    assert lufs(quiet.power(0, 1)) == float("-inf")


@pytest.mark.parametrize("tempo_bpm", [110.0, 120.0, 131.0])
def test_the_first_song_sets_the_tempo(tempo_bpm: float) -> None:
    pace = common_pace([song("host"), song("guest", tempo_bpm)], None, forced=False)
    assert pace.tempo_bpm == 120
    assert bool(pace.notes) == (abs(120 / tempo_bpm - 1) > 0.08)


@pytest.mark.parametrize(("tempo_bpm", "factor"), [(61.0, 0.5), (236.0, 2.0), (121.0, 1.0)])
def test_half_and_double_time_come_before_stretching(tempo_bpm: float, factor: float) -> None:
    pace = common_pace([song("host"), song("guest", tempo_bpm)], None, forced=False)
    assert pace.factors == {"host": 1, "guest": factor}


def test_songs_too_far_apart_meet_in_the_middle() -> None:
    pace = common_pace([song("host", 124.0), song("guest", 92.0)], None, forced=False)
    assert pace.tempo_bpm == pytest.approx((124 * 92) ** 0.5)
    assert any("meet in the middle" in note for note in pace.notes)


def test_what_no_tempo_joins_is_refused_unless_forced() -> None:
    pair = [song("host", 120.0), song("guest", 170.0)]
    with pytest.raises(InvalidInput, match=r"guest at 170.00 BPM .* 120.00 BPM, more than 20%"):
        common_pace(pair, 120.0, forced=False)
    assert common_pace(pair, 120.0, forced=True).tempo_bpm == 120


def test_bars_of_three_and_four_do_not_mix() -> None:
    with pytest.raises(InvalidInput, match="host has 4 beats a bar and waltz 3"):
        common_pace([song("host"), song("waltz", beats_per_bar=3)], None, forced=False)


def test_phrases_begin_where_the_music_changes() -> None:
    shifted = song(bars=18, drums=range(18), bass=range(2, 18), vocals=range(6, 14))
    found = phrases(shifted, 1.0)
    assert [one.from_bar for one in found] == [2, 6, 10, 14]
    assert [one.from_bar for one in sung(shifted, "vocals", found)] == [6, 10]
    assert found[0].leads_to(found[1])


def test_a_phrase_in_half_time_has_twice_the_bars() -> None:
    assert phrases(song(drums=range(16)), 2.0) == (Phrase(0, 8), Phrase(8, 8))


def test_a_loop_shorter_than_a_phrase_is_one() -> None:
    assert phrases(song(bars=2, drums=range(2)), 1.0) == (Phrase(0, 2),)


def test_a_voice_is_laid_over_full_phrases() -> None:
    host = song(drums=range(4, 16), bass=range(4, 12), other=range(16))
    assert [one.from_bar for one in carrying(host, phrases(host, 1.0))] == [4, 8]


def test_the_fullest_run_is_where_most_sounds() -> None:
    growing = song(drums=range(4, 16), bass=range(8, 16), vocals=range(8, 12))
    assert [one.from_bar for one in fullest_run(growing, phrases(growing, 1.0), 2)] == [8, 12]


def full(name: str, bars: int = 16) -> MixSong:
    return song(name, bars=bars, drums=range(16), bass=range(16), other=range(16))


def turns(first: MixSong, second: MixSong) -> list[Turn]:
    kinds = ("drums", "bass", "other")
    return [
        Turn(0, 8, (Stay(first, 0, 8, 0, 1.0, kinds, 1.0),)),
        Turn(8, 8, (Stay(second, 8, 8, 4, 1.0, kinds),)),
    ]


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_there_is_one_bass_on_each_side_of_the_downbeat(transition: Transition) -> None:
    clips = play(turns(full("a"), full("b")), transition, 4)
    basses = [(clip.source, clip.at_bar, clip.end_bar) for clip in clips if "bass" in clip.source]
    assert basses == [("a/bass", 0, 8), ("b/bass", 8, 16)]
    shared = {clip.source: (clip.at_bar, clip.end_bar) for clip in clips if "other" in clip.source}
    reach = 0 if transition == "cut" else 2
    assert shared == {"a/other": (0, 8 + reach), "b/other": (8 - reach, 16)}
    assert {clip.source: clip.semitones for clip in clips} == {
        "a/drums": 0, "a/bass": 1, "a/other": 1, "b/drums": 0, "b/bass": 0, "b/other": 0,
    }  # fmt: skip
    incoming = next(clip for clip in clips if clip.source == "b/other")
    assert incoming.from_bar == 4 - reach  # bar 4 of the song still meets bar 8 of the mashup


def test_songs_share_no_bars_that_one_of_them_lacks() -> None:
    clips = play(turns(full("a", bars=9), full("b")), "crossfade", 4)
    assert max(clip.end_bar for clip in clips if clip.source.startswith("a/")) == 9


def test_a_song_that_goes_on_is_not_cut() -> None:
    one = song(drums=range(16))
    played = [(0, 4, 4), (4, 4, 8), (8, 4, 4)]
    band = [Turn(at, bars, (Stay(one, at, bars, of, 1.0, ("drums",)),)) for at, bars, of in played]
    clips = play(band, "bass_swap", 4)
    assert [(clip.at_bar, clip.bars, clip.from_bar) for clip in clips] == [(0, 8, 4), (8, 4, 4)]
    assert joined(clips) == clips


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vibe": "polka"}, "unknown vibe 'polka': one of club"),
        ({"intensity": 1.5}, "intensity 1.5"),
        ({"transition": "wipe"}, "unknown transition 'wipe'"),
        ({"tempo_bpm": 5.0}, "tempo 5 BPM"),
        ({"length_s": 1.0}, "length 1 s"),
        ({"length_s": 1e9}, "length"),
        ({"loudness_lufs": 0.0}, "loudness 0 LUFS"),
        ({"loudness_lufs": float("nan")}, "loudness nan LUFS"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_wishes_that_make_no_sense_are_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        MixRequest(**changes)  # type: ignore[arg-type]


def test_vibes_stay_within_what_a_mix_bears() -> None:
    for vibe in VIBES.values():
        for intensity in (0.0, 0.5, 1.0):
            assert -24 <= vibe.loudness_lufs.at(intensity) <= -7
            assert 0 <= vibe.density.at(intensity) <= 1
            assert -1 <= vibe.vocal_lift_lu.at(intensity) <= 5
            assert 0 <= vibe.duck_db.at(intensity) <= 3
            assert 2 <= vibe.pocket_db.at(intensity) <= 4
