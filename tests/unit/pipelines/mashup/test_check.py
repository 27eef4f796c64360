"""Reports of synthetic mashups, without faults and with one fault each."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.commands.check import find_stems
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.measures.tracks import StemTrack
from mashup_worker.pipelines.mashup.check import Target, check_mix
from tests.unit.mashups import mashup_plan
from tests.unit.music import cadence, drums, even_beats, placed, tone
from tests.unit.pipelines.sample_songs import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mashup_worker.mixing.measures.report import Measurement, MixReport
    from mashup_worker.mixing.plan import Plan

RATE_HZ = 22_050
TEMPO_BPM, BARS = 120.0, 12
DURATION_S = BARS * 2.0
VOICE = 1.8
MELODY = (0, 4, 7, 5, 9, 7, 5, 2, 7, 4, 2, -1, 0, 2, 4, 0)

SPANS = {
    "b/drums": [(0.0, 6.0), (6.0, 12.0)],
    "b/other": [(0.0, 12.0)],
    "b/bass": [(0.0, 12.0)],
    "a/vocals": [(2.0, 10.0)],
}


@lru_cache(maxsize=1)
def sounds() -> dict[str, torch.Tensor]:
    beats = even_beats(TEMPO_BPM, DURATION_S + 0.2, start_s=0.0)
    roots = [0, 0, 5, 5, 7, 7, 0, 0] * 8
    bass = [
        placed(tone(36 + r, 0.4, RATE_HZ), [t], DURATION_S, RATE_HZ)
        for r, t in zip(roots, beats, strict=False)
    ]
    sung = [tone(72 + step, 0.5, RATE_HZ) for step in MELODY * 2]
    voice = torch.zeros(round(DURATION_S * RATE_HZ))
    voice[4 * RATE_HZ : 20 * RATE_HZ] = torch.cat(sung)
    chords = cadence(0, "major", bar_s=2.0, sample_rate=RATE_HZ)
    gain = torch.full_like(voice, 1.35)
    gain[4 * RATE_HZ : 20 * RATE_HZ] = 1
    return {
        "b/drums": gain * drums(beats, 4, DURATION_S, RATE_HZ),
        "b/other": gain * 0.8 * torch.cat([chords, chords[: 8 * RATE_HZ]]),
        "b/bass": gain * 0.6 * torch.stack(bass).sum(dim=0),
        "a/vocals": VOICE * voice,
    }


def mashup(
    change: Callable[[str, torch.Tensor], torch.Tensor] = lambda _name, stem: stem,
) -> tuple[Audio, list[StemTrack], Plan]:
    """Return a mashup at its target loudness, its stems and its plan; `change` alters stems."""
    stems = {
        name: 0.25 * change(name, sound.clone()).expand(2, -1) for name, sound in sounds().items()
    }
    tracks = [
        StemTrack(name=n, kind=n.split("/")[1], song=n.split("/")[0], audio=Audio(s, RATE_HZ))
        for n, s in stems.items()
    ]
    mix = Audio(torch.stack(list(stems.values())).sum(dim=0), RATE_HZ)
    loudness_lufs = integrated_lufs(mix)
    plan = mashup_plan(
        SPANS, bars=BARS, tempo_bpm=TEMPO_BPM, master={"loudness_lufs": loudness_lufs}
    )
    return mix, tracks, plan


def named(report: MixReport) -> dict[str, Measurement]:
    names = [one.name for one in report.measurements]
    assert len(names) == len(set(names))
    return {one.name: one for one in report.measurements}


def failed(report: MixReport) -> set[str]:
    return {one.name for one in report.failures}


def test_a_mashup_without_faults_passes() -> None:
    mix, stems, plan = mashup()
    stages: list[str] = []
    report = check_mix(mix, plan=plan, stems=stems, on_progress=lambda s, _: stages.append(s))
    assert failed(report) == set()
    assert report.passed
    assert report.notes == ()
    assert set(stages) == {"analyze", "measure"}
    found = named(report)
    for name in ("b/drums: lag", "b/bass: drift", "tempo", "key: vocals fit best at"):
        assert found[name].passed is True
    for name in ("true peak", "clicks at splices", "loss in mono", "two basses at once"):
        assert found[name].passed is True
    assert found["tempo"].value == pytest.approx(TEMPO_BPM, abs=0.01)
    assert found["beats detected"].passed is True
    assert len(report.loudness_curve.lufs) == len(report.loudness_curve.ends_s) > 100


def test_a_report_converts_to_json() -> None:
    mix, _, plan = mashup()
    report = check_mix(mix, plan=plan, second_opinion=False)
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert document["passed"] is report.passed
    assert len(document["measurements"]) == len(report.measurements)
    assert document["measurements"][0].keys() == {
        *("name", "value", "unit", "wanted", "passed", "detail")
    }
    assert document["target_lufs"] == pytest.approx(plan.master.loudness_lufs)
    assert len(document["short_term_lufs"]) == len(document["loudness_times_s"])


def late(kind: str, shift_s: float) -> Callable[[str, torch.Tensor], torch.Tensor]:
    def change(name: str, stem: torch.Tensor) -> torch.Tensor:
        shift = round(shift_s * RATE_HZ)
        return torch.cat([torch.zeros(shift), stem[:-shift]]) if name.endswith(kind) else stem

    return change


def clicked(name: str, stem: torch.Tensor) -> torch.Tensor:
    if name == "b/drums":
        stem[12 * RATE_HZ] += 4.0
    return stem


def leaking(name: str, stem: torch.Tensor) -> torch.Tensor:
    if name == "a/vocals":
        stem[RATE_HZ : RATE_HZ + 300] = 0.01
    return stem


def silent_middle(_name: str, stem: torch.Tensor) -> torch.Tensor:
    stem[round(15.3 * RATE_HZ) : round(16.5 * RATE_HZ)] = 0
    return stem


def loud_voice(name: str, stem: torch.Tensor) -> torch.Tensor:
    return 2.5 * stem if name == "a/vocals" else stem


def transposed(name: str, stem: torch.Tensor) -> torch.Tensor:
    if name == "a/vocals":
        sung = torch.cat([tone(75 + step, 0.5, RATE_HZ) for step in MELODY * 2])
        stem[4 * RATE_HZ : 20 * RATE_HZ] = VOICE * sung
    return stem


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (late("drums", 0.025), {"b/drums: lag", "b/drums: lag p95"}),
        (clicked, {"clicks at splices"}),
        (leaking, {"a/vocals: outside its clips"}),
        (silent_middle, {"longest silence"}),
        (loud_voice, {"vocals over accompaniment", "level step at splices"}),
        (transposed, {"key: vocals fit best at"}),
    ],
)
def test_a_fault_fails_its_measurements_only(
    change: Callable[[str, torch.Tensor], torch.Tensor], wrong: set[str]
) -> None:
    mix, stems, plan = mashup(change)
    if change is clicked:
        mix = Audio(mix.samples.clamp(-0.8, 0.8), RATE_HZ)
    assert failed(check_mix(mix, plan=plan, stems=stems, second_opinion=False)) == wrong


def test_the_balance_of_a_song_in_a_sequence_is_not_judged() -> None:
    mix, stems, plan = mashup(loud_voice)
    in_turn = plan.model_copy(update={"form": "sequence"})
    found = failed(check_mix(mix, plan=in_turn, stems=stems, second_opinion=False))
    assert found == {"level step at splices"}


def test_a_mix_that_misses_its_targets_fails() -> None:
    mix, _, plan = mashup()
    loud = Audio((mix.samples * 4).clamp(-1, 1), RATE_HZ)
    wrong = {"integrated loudness", "true peak", "clipped samples in a row"}
    assert failed(check_mix(loud, plan=plan, second_opinion=False)) == wrong
    target = Target(integrated_lufs(loud), 3.0)
    found = failed(check_mix(loud, plan=plan, target=target, second_opinion=False))
    assert found == {"clipped samples in a row"}


def test_a_lossy_mix_has_a_wider_loudness_tolerance() -> None:
    mix, _, plan = mashup()
    mix = Audio(mix.samples * 10 ** (0.3 / 20), RATE_HZ)
    for lossy in (True, False):
        report = check_mix(mix, plan=plan, lossy=lossy, second_opinion=False)
        assert report.passed is lossy


def test_the_tempo_is_measured_in_the_mix_where_stems_are_missing() -> None:
    mix, _, _ = mashup()
    other = mashup_plan(SPANS, bars=BARS, tempo_bpm=120.06)
    found = named(check_mix(mix, plan=other, second_opinion=False))
    assert found["tempo"].passed is False
    assert found["tempo"].value == pytest.approx(120, abs=0.01)


def test_requested_vocal_overlap_is_reported_without_a_verdict() -> None:
    mix, stems, plan = mashup()
    stems.append(replace(stems[-1], name="c/vocals", song="c"))
    name = "two vocals at once"
    asked = plan.model_copy(update={"allow_two_vocals": True})
    report = check_mix(mix, plan=asked, stems=stems, second_opinion=False)
    assert named(report)[name].passed is None
    assert named(report)[name].value == pytest.approx(16, abs=1)
    assert "c/vocals is no stem of the plan" in report.notes


def test_a_mix_is_measured_without_a_plan() -> None:
    mix, _, _ = mashup()
    report = check_mix(mix)
    found = named(report)
    assert report.passed
    assert report.target_lufs is None
    assert found["tempo"].value == pytest.approx(TEMPO_BPM, abs=0.05)
    assert found["tempo"].passed is None
    assert found["key"].value == "C major"
    assert len(report.notes) == 2
    assert "clicks at splices" not in found


def test_stems_without_a_plan_are_compared_with_each_other() -> None:
    assert failed(check_mix(mashup()[0], stems=mashup()[1])) == set()
    mix, stems, _ = mashup(late("bass", 0.03))
    assert failed(check_mix(mix, stems=stems)) == {"b/bass: lag", "b/bass: lag p95"}


def test_a_given_analysis_is_used() -> None:
    mix, _, plan = mashup()
    known = Analysis(DURATION_S, tempo_bpm=77.0, key="F major", tempo_confidence=1.0)
    found = named(check_mix(mix, plan=plan, analysis=known))
    assert found["key"].value == "F major"
    assert "77.00" in found["tempo"].detail


def test_each_part_of_a_mashup_that_changes_tempo_is_measured() -> None:
    fast, slow = even_beats(120.0, 16.0, start_s=0.0), even_beats(100.0, 19.2, start_s=0.0)
    parts = [drums(fast, 4, 16.0, RATE_HZ), drums(slow, 4, 19.2, RATE_HZ)]
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 16, "tempo_changes": [[8, 100.0]]}
    plan = mashup_plan({"a/drums": [(0, 8)], "b/drums": [(8, 16)]}, grid=grid)
    silent = [torch.zeros_like(part) for part in parts]
    tracks = [
        StemTrack(name=f"{song}/drums", kind="drums", song=song, audio=Audio(stem[None], RATE_HZ))
        for song, stem in (
            ("a", torch.cat([parts[0], silent[1]])),
            ("b", torch.cat([silent[0], parts[1]])),
        )
    ]
    mix = Audio(0.3 * torch.cat(parts).expand(2, -1), RATE_HZ)
    found = named(check_mix(mix, plan=plan, stems=tracks))
    for place, tempo_bpm in ((" from 0.0 s", 120.0), (" from 16.0 s", 100.0)):
        assert found[f"tempo{place}"].value == pytest.approx(tempo_bpm, abs=0.02)
        assert found[f"beats detected{place}"].passed
        assert found[f"downbeats detected{place} on beat"].passed is not False
    for song in "ab":
        assert found[f"{song}/drums: lag"].passed


def test_a_mix_of_another_length_is_noted() -> None:
    mix, _, plan = mashup()
    short = Audio(mix.samples[:, : 20 * RATE_HZ], RATE_HZ)
    report = check_mix(short, plan=plan, second_opinion=False)
    assert "the mix is 4.0 s shorter than its plan" in report.notes


@pytest.mark.parametrize("length_samples", [0, 1, 1000, 5 * RATE_HZ])
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_and_short_audio_are_measured(length_samples: int, channels: int) -> None:
    silence = Audio(torch.zeros(channels, length_samples), RATE_HZ)
    stems = [
        StemTrack(name="a/vocals", kind="vocals", song="a", audio=silence),
        StemTrack(name="b/bass", kind="bass", song="b", audio=silence),
    ]
    plan = mashup_plan(SPANS, bars=BARS)
    for given in (None, plan):
        report = check_mix(silence, plan=given, stems=stems, second_opinion=length_samples > 1000)
        assert json.dumps(report.as_dict(), allow_nan=False)
        assert failed(report) <= {"integrated loudness"}


def test_nan_counts_as_silence() -> None:
    mix, _, plan = mashup()
    mix.samples[:, 5000] = torch.nan
    assert check_mix(mix, plan=plan, second_opinion=False).passed


@pytest.mark.parametrize("name", ["slow-it-down", "when-the-night-falls"])
def test_sample_songs_follow_their_own_grid(name: str) -> None:
    """The samples have swing, free singing and a master; splices lie on bar lines."""
    folder = SAMPLES / name
    truth = json.loads((folder / "truth.json").read_text())
    stems = [
        StemTrack(name=f"it/{kind}", kind=kind, song="it", audio=decode(folder / file))
        for kind, file in truth["stems"].items()
    ]
    bars = len(truth["downbeats_s"])
    spans = {track.name: [(0.0, 4.0), (4.0, bars / 2), (bars / 2, bars * 1.0)] for track in stems}
    plan = mashup_plan(spans, bars=bars, tempo_bpm=truth["tempo_bpm"])
    report = check_mix(decode(folder / "mix.flac"), plan=plan, stems=stems)
    mastering = {"integrated loudness", "true peak", "vocals over accompaniment"}
    assert failed(report) <= mastering | {"level step at splices"}
    assert named(report)["tempo"].passed is True
    assert named(report)["key: vocals fit best at"].passed is True
    assert named(report)["it/drums: lag p95"].passed is True


def test_stems_of_different_sample_rates_are_refused() -> None:
    mix, stems, plan = mashup()
    other = replace(stems[0], name="x/drums", audio=Audio(torch.zeros(1, 9), 48_000))
    with pytest.raises(InvalidInput, match="sample rate"):
        check_mix(mix, plan=plan, stems=[*stems, other])


def test_stems_are_found_in_folders_of_songs_or_in_one(tmp_path: Path) -> None:
    for name in (
        "one/vocals.flac",
        "one/cover.png",
        "two/drums.ogg",
        "two/Bass.wav",
        ".git/bass.wav",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "mix.wav").touch()
    found = [(song, kind) for song, kind, _ in find_stems(tmp_path)]
    assert found == [("one", "vocals"), ("two", "bass"), ("two", "drums")]
    assert [(song, kind) for song, kind, _ in find_stems(tmp_path / "two")] == [
        ("two", "drums"),
        ("two", "bass"),
    ]
    for nothing in ("one/cover.png", "three", ".x"):
        with pytest.raises(InvalidInput, match=nothing):
            list(find_stems(tmp_path / nothing))
