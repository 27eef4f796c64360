"""Measures a finished mashup: sound in, and its plan and stems where they are kept; a report out.

The mix alone tells its loudness, peaks, stereo, tempo and key. A plan says what was wanted, and
where to listen for splices. Stems tell how each of them keeps to the grid, and how they share the
room.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.result import (
    HIGHEST_TEMPO_BPM,
    LOWEST_TEMPO_BPM,
    Analysis,
    AnalysisOptions,
)
from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.decode import LOUDEST
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.material import Levels
from mashup_worker.mixing.measures import arrangement, levels, splices, stereo, timing
from mashup_worker.mixing.measures.attacks import Attacks, find_attacks
from mashup_worker.mixing.measures.beats import BeatGrid
from mashup_worker.mixing.measures.tonality import key_match
from mashup_worker.mixing.measures.tracks import StemTrack, by_song, check_tracks, together
from mashup_worker.mixing.report import Measurement, MixReport
from mashup_worker.pipelines.analyze import analyze_audio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mashup_worker.mixing.measures.beats import Feel
    from mashup_worker.mixing.plan import Clip, Plan

    OnProgress = Callable[[str, float], None]
    """Called with the stage and its share done. An exception raised in it stops the work."""

__all__ = ["StemTrack", "Target", "check_mix"]

_TEMPO_REACH = 1.25
_MOST_TOLD_S = 1.0
_HALF_TIME = 1.5

_AT_ONCE = 2
"""Measurements at once: each is many small steps, which leave cores idle."""


@dataclass(frozen=True)
class Target:
    """What a mashup was brought to; None for what the plan says, or without one for what is usual.

    Attributes:
        loudness_lufs: integrated loudness; any where there is no plan.
        true_peak_dbtp: highest true peak; -1 where there is no plan.
    """

    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None

    def completed(self, plan: Plan | None) -> Target:
        """The same with what the plan says."""
        usual = Target(None, levels.MOST_TRUE_PEAK_DBTP)
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
    stems: Sequence[StemTrack] = (),
    analysis: Analysis | None = None,
    target: Target = Target(),
    lossy: bool = False,
    second_opinion: bool = True,
    on_progress: OnProgress | None = None,
) -> MixReport:
    """Measure a mashup.

    Args:
        mix: the mashup as a listener gets it.
        plan: what it was rendered from.
        stems: its parts as they were rendered, before the bus; of one sample rate.
        analysis: of the mix, where there is one already.
        target: loudness and true peak that were wanted.
        lossy: whether the mix went through a lossy codec, which changes loudness a little.
        second_opinion: whether to analyse the mix where no analysis is given. Without a plan, and
            without an analysis, nothing can be said of tempo and lags.
        on_progress: called with the stage and its share done.

    Raises:
        InvalidInput: stems differ in sample rate, or a name occurs twice.
    """
    check_tracks(stems)
    report = on_progress or (lambda _stage, _share: None)
    mix = _usable(mix)
    stems = [StemTrack(one.name, one.kind, one.song, _usable(one.audio)) for one in stems]
    report("listen", 0.0)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        opinion = None
        if analysis is None and second_opinion:
            opinion = pool.submit(analyze_audio, mix, _options(plan))
        check = _Check(mix, plan, stems, target, lossy)
        parts = (check.level, check.seams, check.image, check.room)
        measured = [pool.submit(_taken, part) for part in parts]
        if opinion is not None:
            analysis = opinion.result().analysis
        report("measure", 0.0)
        found = [*check.rhythm(analysis), *check.harmony(analysis)]
        for done, one in enumerate(measured):
            found += one.result()
            report("measure", (done + 1) / len(parts))
    return MixReport(
        tuple(found), check.meters.short_term, check.target.loudness_lufs, tuple(check.notes())
    )


def _taken(part: Callable[[], Iterator[Measurement]]) -> list[Measurement]:
    return list(part())


class _Check:
    """One mashup, each thing in it measured once."""

    def __init__(
        self,
        mix: Audio,
        plan: Plan | None,
        stems: Sequence[StemTrack],
        target: Target,
        lossy: bool,
    ) -> None:
        self.mix, self.plan, self.stems = mix, plan, stems
        self.target = target.completed(plan)
        self.lossy = lossy
        self.meters = levels.measure_levels(mix)
        self.attacks = {track.name: find_attacks(track.audio) for track in stems}
        self.mix_attacks = Attacks.none() if stems else find_attacks(mix)

    def rhythm(self, analysis: Analysis | None) -> Iterator[Measurement]:
        grid = self._grid(analysis)
        if grid is None:
            yield timing.tempo(None, None, analysis)
            return
        stems = list(self._played(grid))
        for stem in stems:
            if self.plan or self.stems:
                yield from timing.lags(stem)
        wanted_bpm = self.plan.grid.tempo_bpm if self.plan else None
        yield timing.tempo(timing.fit_tempo(stems, grid), wanted_bpm, analysis)
        if self.plan and analysis:
            yield from timing.heard_beats(analysis, grid)

    def harmony(self, analysis: Analysis | None) -> Iterator[Measurement]:
        if analysis and analysis.key:
            wanted = f"{self.plan.key} by the plan" if self.plan and self.plan.key else ""
            detail = f"confidence {analysis.key_confidence:.2f}"
            detail = f"{detail}; {wanted}" if wanted else detail
            yield Measurement("key", analysis.key, detail=detail)
        if self.stems:
            voices = together([track for track in self.stems if track.is_vocal])
            yield key_match(voices, together([track for track in self.stems if track.has_pitch]))

    def level(self) -> Iterator[Measurement]:
        yield levels.loudness(self.meters, self.target.loudness_lufs, self.lossy)
        yield levels.loudness_range(self.meters)
        yield levels.true_peak(self.meters, self.target.true_peak_dbtp)
        yield levels.clipped_run(self.mix)
        yield levels.gap(self.mix, self.meters.integrated_lufs)

    def seams(self) -> Iterator[Measurement]:
        if self.plan is None:
            return
        yield splices.level_step(self.meters.short_term, self.plan.splices_s)
        yield splices.clicks(self._spliced(self.plan))

    def image(self) -> Iterator[Measurement]:
        yield stereo.correlation(self.mix)
        yield stereo.fold_loss(self.meters)

    def room(self) -> Iterator[Measurement]:
        if not self.stems:
            return
        songs = by_song(self.stems)
        voices = {
            song: together([track for track in tracks if track.is_vocal])
            for song, tracks in songs.items()
        }
        sung = {song: Levels.of(voice) for song, voice in voices.items() if voice is not None}
        all_voices = together([track for track in self.stems if track.is_vocal])
        others = together([track for track in self.stems if not track.is_vocal])
        yield arrangement.voice_lift(
            Levels.of(all_voices) if all_voices else None,
            Levels.of(others) if others else None,
            judged=self.plan is not None,
        )
        yield arrangement.one_bass(songs)
        yield arrangement.one_voice(sung, bool(self.plan and self.plan.allow_two_vocals))
        if self.plan is not None:
            for track in self.stems:
                yield arrangement.outside_clips(track, self.plan)

    def notes(self) -> Iterator[str]:
        """What could not be measured, and why."""
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
        return timing.anchored(grid, self.attacks[leader.name])

    def _played(self, grid: BeatGrid) -> Iterator[timing.Played]:
        if not self.stems:
            feel = timing.song_feel([self.mix_attacks], grid)
            yield timing.played("mix", timing.MIX, self.mix_attacks, grid, feel)
        for song, tracks in by_song(self.stems).items():
            feel = self._feel(song, [self.attacks[track.name] for track in tracks], grid)
            for track in tracks:
                yield timing.played(track.name, track.kind, self.attacks[track.name], grid, feel)

    def _feel(self, song: str, attacks: Sequence[Attacks], grid: BeatGrid) -> Feel:
        """How a song divides the beats; one in half time has two of its own in each."""
        clips = self.plan.clips if self.plan else ()
        factors = (clip.tempo_factor for clip in clips if self._song_of(clip) == song)
        if max(factors, default=1.0) < _HALF_TIME:
            return timing.song_feel(attacks, grid)
        return timing.song_feel(attacks, grid.at_twice_the_tempo()).at_half_the_tempo()

    def _song_of(self, clip: Clip) -> str:
        return self.plan.sources[clip.source].song if self.plan else ""

    def _spliced(self, plan: Plan) -> dict[str, splices.Spliced]:
        """What to listen to for clicks: each stem at its own edges, or the mix at all of them."""
        if not self.stems:
            return {"mix": splices.Spliced(self.mix, plan.splices_s, self.mix_attacks)}
        sounds = {}
        for track in self.stems:
            edges = {edge for span in arrangement.clip_spans_s(track, plan) for edge in span}
            inside = tuple(edge for edge in sorted(edges) if 0 < edge < plan.grid.duration_s - 1e-6)
            sounds[track.name] = splices.Spliced(track.audio, inside, self.attacks[track.name])
        return sounds


def _options(plan: Plan | None) -> AnalysisOptions:
    """What the plan says beforehand, so that the analysis counts at the same level."""
    if plan is None:
        return AnalysisOptions()
    tempo_bpm = plan.grid.tempo_bpm
    around = (
        max(LOWEST_TEMPO_BPM, tempo_bpm / _TEMPO_REACH),
        min(HIGHEST_TEMPO_BPM, tempo_bpm * _TEMPO_REACH),
    )
    return AnalysisOptions(around, tempo_bpm, plan.grid.beats_per_bar)


def _usable(audio: Audio) -> Audio:
    """In one or two channels, and without what is no number."""
    samples = fold_to_stereo(audio.samples.detach().float())
    if samples.numel() and not float(samples.abs().max()) <= LOUDEST:
        samples = torch.where(samples.abs() <= LOUDEST, samples, 0.0)
    return Audio(samples, audio.rate_hz)
