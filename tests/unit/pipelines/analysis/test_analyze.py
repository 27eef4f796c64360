"""Analysis of whole songs: files, audio in memory, stems, silence and very short sounds."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.analysis.result import Analysis, AnalysisOptions, AnalyzeResult
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput, TooLong
from mashup_worker.pipelines.analysis import steps
from mashup_worker.pipelines.analysis.analyze import (
    analyze_audio,
    analyze_file,
    analyze_stem_files,
    analyze_stems,
)
from tests.unit import music
from tests.unit.audio_fixtures import write
from tests.unit.music import RATE_HZ, even_beats

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.pipelines.clock import OnProgress

TEMPO_BPM, DURATION_S = 118.0, 25.0
BEATS_S = even_beats(TEMPO_BPM, DURATION_S)
FIELDS = {
    "tempo_bpm", "tempo_confidence", "beat_confidence", "bar_confidence", "tempo_candidates_bpm",
    "tempo_candidates", "tempo_stable", "beats_s", "downbeats_s", "beats_per_bar",
    "time_signature", "tempo_stretches", "key", "camelot", "key_confidence",
    "key_candidates", "key_profile", "tuning_cents", "loudness_lufs", "loudness_range_lu",
    "true_peak_dbtp", "duration_s", "sections", "chords", "chord_method", "singing",
    "singing_known", "bars", "loops", "cue_points",
}  # fmt: skip


@pytest.fixture(scope="module")
def song() -> Audio:
    """Mono at 44.1 kHz."""
    return music.song(BEATS_S, DURATION_S, sample_rate=44_100)


@pytest.fixture(scope="module")
def stems() -> dict[str, Audio]:
    form = (BEATS_S, 4, DURATION_S, 44_100)
    parts = {"drums": 0.6 * music.drums(*form), "other": 0.4 * music.harmony(*form)}
    return {kind: Audio(samples[None], 44_100) for kind, samples in parts.items()}


@pytest.fixture(scope="module")
def analysis(song: Audio) -> Analysis:
    return checked(analyze_audio(song))


def checked(result: AnalyzeResult) -> Analysis:
    """The analysis, after what holds of each was looked at."""
    got = result.analysis
    document = got.as_dict()
    assert document.keys() == FIELDS
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert 0 <= got.tempo_confidence <= 1
    assert 0 <= got.key_confidence <= 1
    assert (np.diff(got.beats_s) > 0).all()
    assert set(got.downbeats_s) <= set(got.beats_s)
    assert all(-0.05 <= time_s <= got.duration_s for time_s in got.beats_s)
    assert result.evidence.chroma.isfinite().all()
    assert result.evidence.tempogram.isfinite().all()
    assert len(result.evidence.momentary_lufs) == len(result.evidence.short_term_lufs)
    assert result.elapsed_s > 0
    form_is_consistent(got)
    return got


def form_is_consistent(got: Analysis) -> None:
    for name in ("sections", "chords", "singing", "loops", "cue_points"):
        assert all(0 <= one.confidence <= 1 for one in getattr(got, name))
    for spans in (
        [(one.start_s, one.stop_s) for one in got.sections],
        [(one.start_s, one.stop_s) for one in got.chords],
    ):
        assert all(a[1] == b[0] for a, b in pairwise(spans))
        assert all(start_s < stop_s for start_s, stop_s in spans)
    assert {one.start_s for one in got.sections} <= set(got.downbeats_s)
    assert {one.start_s for one in got.chords} <= set(got.beats_s)
    assert {one.start_s for one in got.bars} <= set(got.downbeats_s)
    assert all(0 <= bar.energy <= 1 and bar.level_db <= 0 for bar in got.bars)
    assert [cue.time_s for cue in got.cue_points] == sorted(cue.time_s for cue in got.cue_points)
    assert got.singing_known or not got.singing
    assert (got.chord_method is None) == (not got.chords)


def alike(one: Analysis, other: Analysis) -> None:
    assert one.tempo_bpm == pytest.approx(other.tempo_bpm, abs=0.02)
    assert (one.key, one.beats_per_bar) == (other.key, other.beats_per_bar)
    assert len(one.beats_s) == pytest.approx(len(other.beats_s), abs=1)
    near = [min(abs(a - b) for b in other.beats_s) for a in one.beats_s[1:-1]]
    assert max(near) < 0.03


def unsure(got: Analysis) -> None:
    assert got.tempo_bpm is None or got.tempo_confidence < 0.3
    assert got.key is None or got.key_confidence < 0.3


def test_a_song_has_every_field(analysis: Analysis) -> None:
    assert analysis.tempo_bpm == pytest.approx(TEMPO_BPM, abs=0.02)
    assert analysis.tempo_stable
    assert (analysis.key, analysis.camelot) == ("C major", "8B")
    assert analysis.beats_per_bar == 4
    assert analysis.tuning_cents == pytest.approx(0, abs=3)
    assert analysis.duration_s == DURATION_S
    assert analysis.loudness_lufs is not None
    assert analysis.true_peak_dbtp is not None
    assert len(analysis.key_candidates) >= 3


def test_a_file_is_the_sound_in_memory(song: Audio, analysis: Analysis, tmp_path: Path) -> None:
    got = checked(analyze_file(write(tmp_path / "song.wav", song, "FLOAT")))
    alike(got, analysis)
    assert got.loudness_lufs == pytest.approx(analysis.loudness_lufs, abs=0.01)
    assert got.true_peak_dbtp == pytest.approx(analysis.true_peak_dbtp, abs=0.01)
    assert got.duration_s == analysis.duration_s


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 48_000])
def test_the_rate_does_not_matter(song: Audio, analysis: Analysis, sample_rate: int) -> None:
    alike(checked(analyze_audio(resample(song, sample_rate))), analysis)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_do_not_matter(song: Audio, analysis: Analysis, channels: int) -> None:
    alike(checked(analyze_audio(Audio(song.samples.expand(channels, -1), 44_100))), analysis)


def test_out_of_phase_stereo_is_analyzed(song: Audio, analysis: Analysis, tmp_path: Path) -> None:
    both = Audio(torch.cat([song.samples, -song.samples]), 44_100)
    alike(checked(analyze_audio(both)), analysis)
    alike(checked(analyze_file(write(tmp_path / "both.wav", both))), analysis)


@pytest.mark.parametrize("gain", [0.001, 0.05, 3.0])
def test_level_does_not_matter(song: Audio, analysis: Analysis, gain: float) -> None:
    alike(checked(analyze_audio(Audio(gain * song.samples, 44_100))), analysis)


def test_stems_agree_with_the_mix(stems: dict[str, Audio], analysis: Analysis) -> None:
    got = checked(analyze_stems(stems))
    alike(got, analysis)
    assert got.loudness_lufs == pytest.approx(analysis.loudness_lufs, abs=0.05)


def test_stem_files_are_the_stems_in_memory(stems: dict[str, Audio], tmp_path: Path) -> None:
    files = {kind: write(tmp_path / f"{kind}.wav", stem, "FLOAT") for kind, stem in stems.items()}
    alike(checked(analyze_stem_files(files)), checked(analyze_stems(stems)))


def test_stems_may_have_different_lengths(stems: dict[str, Audio], analysis: Analysis) -> None:
    short = Audio(stems["drums"].samples[:, : 20 * 44_100], 44_100)
    got = checked(analyze_stems(stems | {"drums": short}))
    assert got.duration_s == DURATION_S
    assert got.tempo_bpm == pytest.approx(TEMPO_BPM, abs=0.02)
    assert got.key == analysis.key


def test_faint_drums_are_ignored(song: Audio, analysis: Analysis, stems: dict[str, Audio]) -> None:
    hiss = 1e-4 * torch.randn(song.samples.shape, generator=torch.Generator().manual_seed(1))
    everything = {"drums": Audio(hiss, 44_100), "other": song, "bass": stems["other"]}
    got = checked(analyze_stems(everything))
    assert got.tempo_bpm == pytest.approx(analysis.tempo_bpm, abs=0.02)


def test_stems_of_different_rates_are_an_error(stems: dict[str, Audio], tmp_path: Path) -> None:
    mixed = stems | {"drums": resample(stems["drums"], 48_000)}
    with pytest.raises(InvalidInput, match="sample rate"):
        analyze_stems(mixed)
    files = {kind: write(tmp_path / f"{kind}.wav", stem) for kind, stem in mixed.items()}
    with pytest.raises(InvalidInput, match="sample rate"):
        analyze_stem_files(files)


def test_options_reach_the_analysis(song: Audio) -> None:
    options = AnalysisOptions(tempo_hint_bpm=TEMPO_BPM / 2, beats_per_bar=3, key_profile="edm")
    got = checked(analyze_audio(song, options))
    assert got.tempo_bpm == pytest.approx(TEMPO_BPM / 2, abs=0.02)
    assert got.beats_per_bar == 3
    assert got.key_profile == "edm"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_values_that_are_not_finite_are_ignored(
    song: Audio, analysis: Analysis, stems: dict[str, Audio], tmp_path: Path, value: float
) -> None:
    samples = song.samples.clone()
    samples[:, 100_000:100_010] = value
    damaged = Audio(samples, 44_100)
    alike(checked(analyze_audio(damaged)), analysis)
    alike(checked(analyze_file(write(tmp_path / "song.wav", damaged, "FLOAT"))), analysis)
    got = checked(analyze_stems(stems | {"vocals": Audio(samples - song.samples, 44_100)}))
    assert got.tempo_bpm == pytest.approx(TEMPO_BPM, abs=0.02)


def seeded_noise(seconds: float, gain: float = 0.1) -> torch.Tensor:
    return gain * torch.randn(
        1, round(seconds * RATE_HZ), generator=torch.Generator().manual_seed(2)
    )


NOTHING_MUCH = {
    "no samples": torch.zeros(1, 0),
    "one sample": torch.ones(1, 1),
    "ten samples": torch.ones(2, 10),
    "short silence": torch.zeros(2, 500),
    "silence": torch.zeros(2, 10 * RATE_HZ),
    "constant": torch.full((1, 5 * RATE_HZ), 0.3),
    "one impulse": torch.nn.functional.pad(torch.ones(1, 1), (50_000, 50_000)),
    "one click": music.placed(music.click(), [1.5], 5.0, RATE_HZ)[None],
    "three clicks": music.placed(music.click(), [0.21, 1.73, 2.41], 4.0, RATE_HZ)[None],
    "clicks at random": music.placed(
        music.click(), np.random.default_rng(0).uniform(0, 4, 16), 4.0, RATE_HZ
    )[None],
    "a second of noise": seeded_noise(1),
    "half a second of drums": music.drums(np.array([0.1, 0.4]), 4, 0.5)[None],
    "noise": seeded_noise(20),
    "dither": seeded_noise(10, 1e-5),
    "clipped noise": seeded_noise(10, 10).clamp(-1, 1),
}


@pytest.mark.parametrize("kind", NOTHING_MUCH)
def test_odd_sounds_have_no_confident_result(kind: str, tmp_path: Path) -> None:
    audio = Audio(NOTHING_MUCH[kind], RATE_HZ)
    got = checked(analyze_audio(audio))
    unsure(got)
    assert got.duration_s == pytest.approx(audio.duration_s)
    unsure(checked(analyze_stems({"drums": audio, "other": audio})))
    if audio.length_samples:
        unsure(checked(analyze_file(write(tmp_path / "sound.wav", audio))))
    if kind in ("no samples", "silence"):
        assert {got.tempo_bpm, got.tempo_stable, got.beats_per_bar, got.key} == {None}
        assert not any((got.beats_s, got.tempo_candidates, got.key_candidates))


@pytest.mark.parametrize("length", [0, 1, 500, RATE_HZ])
def test_every_function_takes_short_sound(length: int) -> None:
    for samples in (torch.zeros(2, length), seeded_noise(length / RATE_HZ)):
        audio = Audio(samples, RATE_HZ)
        for step in (
            steps.onset_strength,
            steps.tempogram,
            steps.rhythm,
            steps.pitch_classes,
            steps.key,
            steps.loudness,
        ):
            step(audio)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 6.0])
def test_short_music_never_fails(song: Audio, seconds: float) -> None:
    got = checked(analyze_audio(Audio(song.samples[:, : round(seconds * 44_100)], 44_100)))
    assert got.key is not None


def test_beats_lie_only_where_there_is_sound(song: Audio, analysis: Analysis) -> None:
    around = Audio(torch.nn.functional.pad(song.samples, (20 * 44_100, 10 * 44_100)), 44_100)
    got = checked(analyze_audio(around))
    assert got.tempo_bpm == pytest.approx(analysis.tempo_bpm, abs=0.02)
    assert got.key == analysis.key
    assert 20.2 < got.beats_s[0] < 20.9
    assert got.beats_s[-1] < 20 + DURATION_S
    assert len(got.beats_s) == pytest.approx(len(BEATS_S), abs=1)


def test_progress_rises_in_each_stage_and_its_errors_stop_the_work(
    song: Audio, stems: dict[str, Audio], tmp_path: Path
) -> None:
    path = write(tmp_path / "song.wav", song)
    files = {kind: write(tmp_path / f"{kind}.wav", stem) for kind, stem in stems.items()}
    seen: list[tuple[str, float]] = []

    def stop(stage: str, share: float) -> None:
        seen.append((stage, share))
        if stage == "harmony":
            raise KeyboardInterrupt

    def from_file(report: OnProgress) -> None:
        analyze_file(path, on_progress=report)

    def from_stems(report: OnProgress) -> None:
        analyze_stem_files(files, on_progress=report)

    for analyze, decoding in ((from_file, []), (from_stems, ["decode"])):
        seen.clear()
        analyze(lambda stage, share: seen.append((stage, share)))
        stages = list(dict.fromkeys(stage for stage, _ in seen))
        assert stages == [*decoding, "measure", "harmony", "rhythm", "form"]
        for stage in stages:
            shares = [share for name, share in seen if name == stage]
            assert shares == sorted(shares)
            assert shares[-1] == 1
        with pytest.raises(KeyboardInterrupt):
            analyze(stop)


def test_limits_hold(song: Audio, tmp_path: Path) -> None:
    with pytest.raises(TooLong):
        analyze_file(write(tmp_path / "song.wav", song), limits=DecodeLimits(max_duration_s=5))


def test_inaudible_sound_has_no_key(song: Audio) -> None:
    faint = analyze_audio(Audio(song.samples * 1e-6, song.sample_rate)).analysis
    assert (faint.key, faint.tempo_bpm, faint.beats_s) == (None, None, ())


def test_a_single_click_has_no_beats() -> None:
    samples = torch.zeros(1, 44_100 * 8)
    samples[0, 44_100 * 3] = 1.0
    analysis = analyze_audio(Audio(samples, 44_100)).analysis
    assert analysis.tempo_bpm is not None or analysis.beats_per_bar is None
    assert analysis.tempo_confidence < 0.3
