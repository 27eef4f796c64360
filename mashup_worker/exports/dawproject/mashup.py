"""Projects of mashups: clips of stretched stems, with gains, fades and filters as automation.

The audio of a clip is what the mashup plays before gain, fades and automated filters: at the
mashup's tempo and key, by its own engine, with the high-pass filter of vocals. Not every program
plays clips of one track that overlap, so clips that do are on tracks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.envelope import step_samples
from mashup_worker.dsp.stretch.choose import choose_engine
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.dawproject.curves import fade_gains, kept_points, step_centers
from mashup_worker.exports.dawproject.document import MAX_VOLUME
from mashup_worker.exports.dawproject.project import AudioFile, Band, Clip, Point, Project, Track
from mashup_worker.mixing.plan import LOW_PASS_OPEN_HZ
from mashup_worker.mixing.render.automation import BASS_HZ, automation_curve
from mashup_worker.mixing.render.mixdown import VOCAL_DIP_HZ, Ducking, high_pass_vocals
from mashup_worker.mixing.render.tracks import ClipPlace, render_source, stretch_source
from mashup_worker.mixing.song import DRUMS, is_vocal
from mashup_worker.system.names import printable, safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.exports.dawproject.project import BandType, Curve
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.mixing.plan import Automation, Plan
    from mashup_worker.mixing.plan import Clip as PlanClip
    from mashup_worker.mixing.render.time_stretch import StretchedSpan

    Samples = NDArray[np.int64]

_GAIN_TOLERANCE, _DB_TOLERANCE, _OCTAVE_TOLERANCE = 2e-4, 0.05, 0.01
_POINTS = 65
"""Points of a fade, or between two points of an automation, before the needless are left out."""

_HIGH_PASS_OPEN_HZ = 20.0
_BANDS: Mapping[str, tuple[BandType, float, float]] = {
    "bass_db": ("lowShelf", BASS_HZ, 0.0),
    "high_pass_hz": ("highPass", _HIGH_PASS_OPEN_HZ, _HIGH_PASS_OPEN_HZ),
    "low_pass_hz": ("lowPass", LOW_PASS_OPEN_HZ, LOW_PASS_OPEN_HZ),
}
"""Filter of each parameter, its frequency, and its value without effect."""


@dataclass
class _Row:
    """Clips of a source that follow one another."""

    clips: list[tuple[PlanClip, ClipPlace, Clip]] = field(default_factory=list)

    @property
    def stop(self) -> int:
        return self.clips[-1][1].stop if self.clips else 0


def mashup_project(song: ExportSong) -> Project:
    """Return the project of a mashup.

    Raises:
        InvalidInput: the audio of a source is missing, or a clip names an unknown engine.
    """
    plan = song.plan
    assert plan is not None, "the caller checks"  # noqa: S101
    missing = [name for name in plan.sources if name not in song.sounds]
    if missing:
        raise InvalidInput(f"{song.title}: the audio of {', '.join(missing)} is missing")
    stretched = [
        stretch_source(
            name, high_pass_vocals(song.sounds[name], source.kind, plan.mix), plan, choose_engine
        )
        for name, source in plan.sources.items()
    ]
    keys = [one for one in stretched if _is_key(plan.sources[one.name].kind)]
    ducking = Ducking.of([render_source(one, plan) for one in keys], plan)
    tracks: list[Track] = []
    for number, one in enumerate(stretched, 1):  # since safe names may be alike
        tracks += _SourceTracks(plan, one.name, number, ducking).of(one.clips)
    beats = plan.grid.beats_per_bar
    cutoff_hz = plan.mix.tone_low_pass_hz
    return Project(
        tags=song.music_tags,
        tracks=tuple(tracks),
        tempi=tuple((span.at_bar * beats, span.tempo_bpm) for span in plan.grid.spans),
        meters=((0.0, beats, 4),),
        markers=tuple(
            (section.at_bar * beats, printable(section.name)) for section in plan.sections
        ),
        master_bands=() if cutoff_hz is None else (Band(type="lowPass", frequency_hz=cutoff_hz),),
    )


def _is_key(kind: str) -> bool:
    """Return whether stems of a kind duck others."""
    return is_vocal(kind) or kind == DRUMS


@dataclass(frozen=True, eq=False)
class _SourceTracks:
    """Maker of the tracks of one source."""

    plan: Plan
    name: str
    number: int
    ducking: Ducking

    def of(self, clips: Sequence[tuple[PlanClip, StretchedSpan]]) -> list[Track]:
        """Return a track for each of the fewest rows in which no clips overlap."""
        files = self._files(clips)
        placed = sorted(
            ((clip, ClipPlace.of(clip, self.plan), span) for clip, span in clips),
            key=lambda one: one[1].start,
        )
        rows: list[_Row] = []
        for clip, place, span in placed:
            row = next((one for one in rows if one.stop <= place.start), None)
            if row is None:
                rows.append(row := _Row())
            row.clips.append((clip, place, self._clip(clip, place, span, files[id(span)])))
        return self._tracks(rows)

    def _files(self, clips: Sequence[tuple[PlanClip, StretchedSpan]]) -> dict[int, AudioFile]:
        """Return the audio file of each span."""
        files: dict[int, AudioFile] = {}
        for _, span in clips:
            if id(span) in files:
                continue
            audio = Audio(span.samples * self._boost, self.plan.sample_rate)
            quarters = audio.duration_s * self._quarters_per_s(span)
            files[id(span)] = AudioFile(
                path=f"audio/{self.number} {safe_name(self.name)} {len(files) + 1}.wav",
                audio=audio,
                warps=((0.0, 0.0), (quarters, audio.duration_s)),
            )
        return files

    def _quarters_per_s(self, span: StretchedSpan) -> float:
        return self.plan.grid.beats_per_bar / span.span.settings.bar_s

    def _clip(self, clip: PlanClip, place: ClipPlace, span: StretchedSpan, file: AudioFile) -> Clip:
        start, stop = (float(one) for one in self._quarters(np.array([place.start, place.stop])))
        source = self.plan.sources[self.name]
        offset = span.first_sample(clip.from_bar, place.lead) / self.plan.sample_rate
        ratio = clip.bars * span.span.settings.bar_s / (clip.source_bars * source.grid.bar_s)
        return Clip(
            name=f"{source.song} {source.kind}",
            comment=(
                f"{source.path}, bars {clip.from_bar + 1:g} to {clip.source_end_bar + 1:g}, "
                f"duration x{ratio:.4f}, {clip.semitones:+g} semitones, {span.engine}"
            ),
            file=file,
            start=start,
            duration=stop - start,
            play_start=offset * self._quarters_per_s(span),
        )

    def _tracks(self, rows: Sequence[_Row]) -> list[Track]:
        source = self.plan.sources[self.name]
        label = f"{source.song} {source.kind}"
        return [
            Track(
                name=label if not index else f"{label} {index + 1}",
                kind=source.kind,
                clips=tuple(clip for _, _, clip in row.clips),
                volume=self._volume(row),
                bands=self._bands(row),
            )
            for index, row in enumerate(rows)
        ]

    @cached_property
    def _boost(self) -> float:
        """Factor of the audio of a source whose gains are beyond the range of faders."""
        clips = [one for one in self.plan.clips if one.source == self.name]
        loudest_db = max((one.gain_db + _highest_db(one) for one in clips), default=0.0)
        return max(1.0, 10 ** (loudest_db / 20) / MAX_VOLUME)

    # Curves.

    def _quarters(self, samples: Samples) -> NDArray[np.float64]:
        grid, rate = self.plan.grid, self.plan.sample_rate
        return np.array([grid.beats_per_bar * grid.bar_at(int(one) / rate) for one in samples])

    def _volume(self, row: _Row) -> Curve:
        """Return the product of gains, fades and ducking of each clip of a row."""
        kick = self.ducking.duck_of(self.plan.sources[self.name].kind, self.plan.mix)
        points: list[Point] = []
        for clip, place, _ in row.clips:
            curves = [one for one in clip.automation if one.parameter == "gain_db"]
            at = self._positions(place, curves, kick)
            gains = fade_gains(at, place) * 10 ** (clip.gain_db / 20) / self._boost
            for curve in curves:
                gains = gains * 10 ** (self._values(curve, at) / 20)
            if kick is not None:
                gains = gains * 10 ** (-self.plan.mix.duck_db * self._amounts(kick, at) / 20)
            points += self._points(at, gains, _GAIN_TOLERANCE)
        return tuple(points)

    def _bands(self, row: _Row) -> tuple[Band, ...]:
        """Return the filters that clips of a row automate, and the dip while vocals sing."""
        bands = []
        for parameter, (kind, frequency_hz, neutral) in _BANDS.items():
            most = max(len(_curves(clip, parameter)) for clip, _, _ in row.clips)
            for number in range(most):
                curve = self._filter_curve(row, parameter, number, neutral)
                bands.append(Band(type=kind, frequency_hz=frequency_hz, curve=curve))
        mix = self.plan.mix
        singing = self.ducking.dip_of(self.plan.sources[self.name].kind, mix)
        if singing is not None:
            low_hz, high_hz = VOCAL_DIP_HZ
            center_hz = float(np.sqrt(low_hz * high_hz))
            at = step_centers(singing, self.plan.sample_rate)
            at = at[at < self.plan.grid.sample_at(self.plan.grid.bars, self.plan.sample_rate)]
            dips = self._points(at, -mix.vocal_dip_db * self._amounts(singing, at), _DB_TOLERANCE)
            q = center_hz / (high_hz - low_hz)
            bands.append(Band(type="bell", frequency_hz=center_hz, curve=tuple(dips), q=q))
        return tuple(bands)

    def _filter_curve(self, row: _Row, parameter: str, number: int, neutral: float) -> Curve:
        """Return one parameter over the clips of a row, without effect where none moves it."""
        in_octaves = parameter.endswith("_hz")
        points = [Point(0.0, neutral, "hold")]
        for clip, place, _ in row.clips:
            curves = _curves(clip, parameter)[number : number + 1]
            at = self._positions(place, curves, None)
            values = self._values(curves[0], at) if curves else np.full(len(at), neutral)
            tolerance = _OCTAVE_TOLERANCE if in_octaves else _DB_TOLERANCE
            points += self._points(at, values, tolerance, in_octaves=in_octaves)
        return tuple(points)

    def _points(
        self,
        at: Samples,
        values: NDArray[np.float64],
        tolerance: float,
        *,
        in_octaves: bool = False,
    ) -> list[Point]:
        """Return few points of a curve, of which the last holds its value up to the next clip."""
        kept = kept_points(at.astype(np.float64), values, tolerance, in_octaves=in_octaves)
        quarters = self._quarters(at[kept])
        points = [Point(float(q), float(v)) for q, v in zip(quarters, values[kept], strict=True)]
        return [*points[:-1], Point(points[-1].at, points[-1].value, "hold")]

    def _positions(
        self, place: ClipPlace, curves: Sequence[Automation], envelope: Tensor | None
    ) -> Samples:
        """Return samples of a clip at which its curves are measured."""
        grid, rate = self.plan.grid, self.plan.sample_rate
        edges = {place.start, place.stop - 1, place.start + place.fade_in}
        edges |= {place.stop - 1 - place.fade_out}
        for curve in curves:  # which may jump at a point
            at = [grid.sample_at(bar, rate) for bar, _ in curve.points]
            edges |= {sample + step for sample in at for step in (-1, 0, 1)}
        inside = sorted(edge for edge in edges if place.start <= edge < place.stop)
        found = [
            np.linspace(left, right, _POINTS).round().astype(np.int64)
            for left, right in pairwise(inside)
        ]
        if envelope is not None:
            centers = step_centers(envelope, rate)
            found.append(centers[(centers >= place.start) & (centers < place.stop)])
        return np.unique(np.concatenate([np.array(inside, dtype=np.int64), *found]))

    def _values(self, curve: Automation, at: Samples) -> NDArray[np.float64]:
        found = automation_curve(curve, self.plan, torch.from_numpy(at))
        return np.asarray(found.numpy(), dtype=np.float64)

    def _amounts(self, envelope: Tensor, at: Samples) -> NDArray[np.float64]:
        step = step_samples(self.plan.sample_rate)
        centers = (np.arange(len(envelope)) + 0.5) * step - 0.5
        amounts = np.interp(at, centers, envelope.double().cpu().numpy())
        return np.asarray(amounts, dtype=np.float64)


def _curves(clip: PlanClip, parameter: str) -> list[Automation]:
    return [one for one in clip.automation if one.parameter == parameter]


def _highest_db(clip: PlanClip) -> float:
    """Return the highest gain that the automation of a clip can reach."""
    return sum(max(value for _, value in one.points) for one in _curves(clip, "gain_db"))
