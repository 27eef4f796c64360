"""Measure a finished mashup, with its plan and stems where they are available."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from mashup_worker.analysis.result import AnalysisOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures import (
    arrangement,
    heard_beats,
    levels,
    splices,
    stereo,
    tempo,
    timing,
)
from mashup_worker.mixing.measures.attacks import Attacks, find_attacks
from mashup_worker.mixing.measures.beats import BeatGrid
from mashup_worker.mixing.measures.findings import Findings, HeardBeats
from mashup_worker.mixing.measures.kept_timing import measure_kept_timing
from mashup_worker.mixing.measures.report import Measurement, MixReport
from mashup_worker.mixing.measures.song_beats import SongBeatGrid
from mashup_worker.mixing.measures.tracks import StemTrack, group_by_song
from mashup_worker.mixing.song import DRUMS
from mashup_worker.pipelines.analysis.analyze import analyze_rhythm_and_key
from mashup_worker.pipelines.clock import ignore_progress
from mashup_worker.pipelines.mashup.check_stems import CheckedStems, check_stems, without_excess
from mashup_worker.vocabulary import DEFAULT_TRUE_PEAK_DBTP, TEMPO_BPM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.pipelines.clock import OnProgress

_TEMPO_REACH = 1.25
_MOST_TOLD_S = 1.0
_EDGE_S = 0.010

_AT_ONCE = 2
"""Measurements at once: each is many small steps, which leave cores idle."""


@dataclass(frozen=True)
class Target:
    """Targets of a mashup; None for the plan's.

    Without a plan, any loudness passes, and a true peak of -1 dBTP at most.
    """

    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None

    def completed(self, plan: Plan | None) -> Target:
        """Return the target with the plan's values filled in."""
        usual = Target(None, DEFAULT_TRUE_PEAK_DBTP)
        if plan is not None:
            usual = Target(plan.master.loudness_lufs, plan.master.true_peak_dbtp)
        return Target(
            usual.loudness_lufs if self.loudness_lufs is None else self.loudness_lufs,
            usual.true_peak_dbtp if self.true_peak_dbtp is None else self.true_peak_dbtp,
        )


def check_mix(
    mix: Audio,
    *,
    plan: Plan | None = None,
    stems: Sequence[StemTrack] | CheckedStems = (),
    sounds: Mapping[str, Audio] | None = None,
    analysis: Analysis | None = None,
    target: Target = Target(),
    lossy: bool = False,
    second_opinion: bool = True,
    on_progress: OnProgress | None = None,
) -> MixReport:
    """Measure a mastered mashup.

    Args:
        mix: the mastered mashup.
        plan: plan that it was rendered from.
        stems: rendered stems before the bus, of one sample rate, or their measurements.
        sounds: sources of the plan by name, with which the timing of stems is compared.
        target: loudness and true peak to expect.
        lossy: whether the mix was encoded in a lossy format, which changes loudness slightly.
        analysis: analysis of the mix, if it is already known; for a mix of one tempo.
        second_opinion: analyze the mix where no analysis is given. Without a plan and an analysis,
            tempo and lags are not measured.
        on_progress: called with the stage and the share done.

    Raises:
        InvalidInput: stems differ in sample rate, or two share a name.
    """
    report = on_progress or ignore_progress
    mix = without_excess(mix)
    report("analyze", 0.0)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        spans = tempo_spans(mix, plan) if second_opinion and analysis is None else ()
        opinions = [pool.submit(analyze_rhythm_and_key, *one) for one in spans]
        checked = stems if isinstance(stems, CheckedStems) else check_stems(stems, plan, sounds)
        check = _Check(mix, plan, checked, target, lossy)
        parts = (check.level, check.seams, check.image)
        measured = [pool.submit(list, part()) for part in parts]
        analyses = [one.result() for one in opinions] or ([analysis] if analysis else [])
        report("measure", 0.0)
        found = [*check.rhythm(analyses), *check.harmony(analyses)]
        for done, one in enumerate(measured):
            found += one.result()
            report("measure", (done + 1) / len(parts))
    measurements = (*found, *checked.room)
    notes = tuple(check.notes())
    return MixReport(
        measurements=measurements,
        loudness_curve=check.meters.short_term,
        target_lufs=check.target.loudness_lufs,
        notes=notes,
        findings=check.findings(measurements),
    )


class _Check:
    def __init__(
        self, mix: Audio, plan: Plan | None, checked: CheckedStems, target: Target, lossy: bool
    ) -> None:
        self.mix, self.plan, self._checked = mix, plan, checked
        self.stems, self.attacks = checked.stems, checked.attacks
        self.target = target.completed(plan)
        self.lossy = lossy
        self.meters = levels.measure_levels(mix)
        self._drums: list[timing.StemTiming] = []
        self._heard: list[HeardBeats] = []
        self.mix_attacks = Attacks.none() if self.stems else find_attacks(mix)

    def rhythm(self, analyses: Sequence[Analysis]) -> Iterator[Measurement]:
        analysis = analyses[0] if analyses else None
        grid = self._grid(analysis)
        if grid is None:
            yield tempo.measure_tempo(None, None, analysis)
            return
        stems = list(self._played(grid))
        self._drums = [stem for stem in stems if stem.kind == DRUMS]
        for stem in stems:
            if self.plan or self.stems:
                yield from self._timing(stem)
        if self.plan is None:
            yield tempo.measure_tempo(tempo.fit_tempo(stems, grid), None, analysis)
            return
        spans = self.plan.grid.spans
        for span, heard in zip_longest(spans, analyses):
            place = f" from {span.start_s:.1f} s" if len(spans) > 1 else ""
            within = [stem.between(span.start_s - _EDGE_S, span.stop_s) for stem in stems]
            beats = BeatGrid.of_span(span, self.plan.grid.beats_per_bar)
            fit = tempo.fit_tempo(within, beats)
            yield tempo.measure_tempo(fit, span.tempo_bpm, heard, place)
            if heard:
                measured = heard_beats.measure_beats(heard, beats, place)
                yield from measured
                offset = heard_beats.heard_offset_beats(heard, beats, measured)
                if offset:
                    self._heard.append(HeardBeats(span.start_s, span.stop_s, offset))

    def _timing(self, stem: timing.StemTiming) -> Iterator[Measurement]:
        own = self._checked.own_attacks.get(stem.name)
        yield from timing.measure_lags(stem, has_source=own is not None)
        if own is not None and self.plan is not None:
            yield from measure_kept_timing(stem.name, stem.attacks, own, self.plan)

    def harmony(self, analyses: Sequence[Analysis]) -> Iterator[Measurement]:
        analysis = analyses[0] if len(analyses) == 1 else None
        if analysis and analysis.key:
            detail = f"confidence {analysis.key_confidence:.2f}"
            if self.plan and self.plan.key:
                detail += f"; {self.plan.key} by the plan"
            yield Measurement("key", analysis.key, detail=detail)
        if self._checked.key:
            yield self._checked.key.measurement

    def level(self) -> Iterator[Measurement]:
        yield levels.integrated_loudness(self.meters, self.target.loudness_lufs, lossy=self.lossy)
        yield levels.loudness_range(self.meters)
        yield levels.true_peak(self.meters, self.target.true_peak_dbtp)
        yield levels.clipped_run(self.mix)
        yield levels.longest_silence(self.mix, self.meters.integrated_lufs)

    def seams(self) -> Iterator[Measurement]:
        if self.plan is None:
            return
        yield splices.level_step(self.meters.short_term, self.plan.splices_s)
        if self._checked.click_count:
            yield self._checked.click_count
            return
        mix = {"mix": splices.SplicedAudio(self.mix, self.plan.splices_s, self.mix_attacks)}
        yield splices.count_clicks(mix, splices.find_clicks(mix))

    def image(self) -> Iterator[Measurement]:
        yield stereo.lowest_correlation(self.mix)
        yield stereo.mono_loss(self.meters)

    def findings(self, measurements: Sequence[Measurement]) -> Findings:
        """Return the faults that the plan can correct."""
        failed = {one.name: one.value for one in measurements if one.passed is False}
        steps = splices.splice_steps_lu(
            self.meters.short_term, self.plan.splices_s if self.plan else ()
        )
        off = [stem for stem in self._drums if any(name.startswith(stem.name) for name in failed)]
        numbers = {name: value for name, value in failed.items() if isinstance(value, float)}
        return Findings(
            drums=tuple(self._drums if self._heard else off),
            beats=tuple(self._heard),
            steps_lu={at_s: one for at_s, one in steps.items() if abs(one) > splices.MAX_STEP_LU},
            clicks=self._checked.clicks,
            lift_lu=numbers.get(arrangement.LIFT),
            reached_lufs=self._held_back_lufs(failed),
            correlation=numbers.get(stereo.CORRELATION),
            mono_loss_lu=numbers.get(stereo.MONO_LOSS),
            key_fits=self._checked.key.fits if self._checked.key else (),
        )

    def _held_back_lufs(self, failed: Mapping[str, object]) -> float | None:
        reached, wanted = self.meters.integrated_lufs, self.target.loudness_lufs
        if levels.LOUDNESS not in failed or reached is None or wanted is None or reached > wanted:
            return None
        return reached

    def notes(self) -> Iterator[str]:
        if self.plan is None:
            yield "without a plan: no splices were looked at, and lags are against beats as heard"
        else:
            off_s = self.mix.duration_s - self.plan.grid.duration_s
            if abs(off_s) > _MOST_TOLD_S:
                than = "longer" if off_s > 0 else "shorter"
                yield f"the mix is {abs(off_s):.1f} s {than} than its plan"
            for track in self.stems:
                if not arrangement.clip_spans_s(track, self.plan):
                    yield f"{track.name} is no stem of the plan"
        if not self.stems:
            yield "without stems: lags, key match, and the room between parts were not measured"

    def _grid(self, analysis: Analysis | None) -> BeatGrid | None:
        if self.plan is not None:
            return BeatGrid.of_plan(self.plan)
        grid = BeatGrid.of_analysis(analysis) if analysis else None
        if grid is None or not self.stems:
            return grid
        leader = max(self.stems, key=lambda one: (one.kind == "drums", len(self.attacks[one.name])))
        return timing.align_to_attacks(grid, self.attacks[leader.name])

    def _played(self, grid: BeatGrid) -> Iterator[timing.StemTiming]:
        if not self.stems:
            subdivision = timing.song_subdivision([self.mix_attacks], grid)
            yield timing.stem_timing(
                "mix", timing.MIX, self.mix_attacks, grid=grid, subdivision=subdivision
            )
        for song, tracks in group_by_song(self.stems).items():
            attacks = [self.attacks[track.name] for track in tracks]
            own_grid = SongBeatGrid.of_song(self.plan, song) if self.plan else grid
            subdivision = timing.song_subdivision(attacks, own_grid)
            for track, own in zip(tracks, attacks, strict=True):
                yield timing.stem_timing(
                    track.name, track.kind, own, grid=own_grid, subdivision=subdivision
                )


def tempo_spans(mix: Audio, plan: Plan | None) -> list[tuple[Audio, AnalysisOptions]]:
    """Return the parts of a mix that have one tempo, with options to find their metrical level."""
    if plan is None:
        return [(mix, AnalysisOptions())]
    spans = []
    for span in plan.grid.spans:
        first = plan.grid.sample_at(span.at_bar, mix.sample_rate)
        is_last = span is plan.grid.spans[-1]
        last = None if is_last else plan.grid.sample_at(span.end_bar, mix.sample_rate)
        around = (
            max(TEMPO_BPM.low, span.tempo_bpm / _TEMPO_REACH),
            min(TEMPO_BPM.high, span.tempo_bpm * _TEMPO_REACH),
        )
        options = AnalysisOptions(around, span.tempo_bpm, plan.grid.beats_per_bar)
        spans.append((Audio(mix.samples[:, first:last], mix.sample_rate), options))
    return spans
