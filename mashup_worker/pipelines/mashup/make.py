"""Render, master and measure the mashup of a plan."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError

from mashup_worker.audio.decode import decode_warned
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.dsp.compressor import Compression
from mashup_worker.dsp.stretch.choose import choose_engine
from mashup_worker.dsp.width import with_side_gain
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.measures.tracks import StemTrack
from mashup_worker.mixing.planning.correction import corrected_plan
from mashup_worker.mixing.render.mixdown import duck_tracks, high_pass_vocals, sum_tracks
from mashup_worker.mixing.render.time_stretch import UNCHANGED, StretchedSpans
from mashup_worker.mixing.render.tracks import render_tracks
from mashup_worker.models.device import device_errors, resolve_device
from mashup_worker.pipelines.clock import Clock, ignore_progress
from mashup_worker.pipelines.mashup.check import check_mix
from mashup_worker.pipelines.mashup.check_stems import check_stems
from mashup_worker.pipelines.mashup.songs import LIMITS, stereo_at
from mashup_worker.pipelines.master import MasterRequest, write_master
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.mixing.measures.attacks import Attacks
    from mashup_worker.mixing.measures.report import MixReport
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.planning.correction import Replan
    from mashup_worker.mixing.render.tracks import RenderedTrack
    from mashup_worker.mixing.song import MixSong
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.master import MasterResult

logger = logging.getLogger(__name__)

_CORRECTIONS = 2


@dataclass(frozen=True, eq=False)
class MixRender:
    """Rendered plan: the tracks, and their sum before mastering."""

    mix: Audio = field(repr=False)
    tracks: tuple[RenderedTrack, ...] = field(repr=False)
    timings_s: Mapping[str, float]

    @property
    def engines(self) -> dict[str, tuple[str, ...]]:
        """Engines that stretched each source."""
        return {track.name: track.engines for track in self.tracks}


@dataclass(frozen=True, eq=False, kw_only=True)
class MashupResult:
    """Finished mashup; its plan has notes that were added while rendering.

    `rounds` counts the renderings until the measurements were met, or given up.
    """

    plan: Plan
    render: MixRender = field(repr=False)
    master: MasterResult
    report: MixReport
    timings_s: Mapping[str, float]
    rounds: int = 1

    @property
    def misses(self) -> list[str]:
        """A warning for each measurement that is still beyond its limit."""
        return [f"{self.master.path}: {one.sentence}" for one in self.report.failures]

    @property
    def elapsed_s(self) -> float:
        """Sum of the timings."""
        return sum(self.timings_s.values())


def sounds_of_songs(songs: Iterable[MixSong]) -> dict[str, Audio]:
    """Return the audio of the sources that a plan of these songs names."""
    return {
        f"{song.name}/{kind}": stem.audio for song in songs for kind, stem in song.stems.items()
    }


def sounds_of_plan(
    plan: Plan,
    folder: Path,
    on_progress: OnProgress | None = None,
    on_warning: Callable[[str], None] = logger.warning,
) -> dict[str, Audio]:
    """Decode the sources of a plan; relative paths start at `folder`.

    `on_warning` is called with each of `Decoder.warnings`, after the path of its file.

    Raises:
        InvalidInput: a file cannot be decoded, or differs from the one that was planned.
    """
    report = on_progress or ignore_progress
    sounds: dict[str, Audio] = {}
    for name, source in plan.sources.items():
        report("read", len(sounds) / len(plan.sources))
        path = folder / source.path
        if source.sha256 is not None and file_sha256(path, InvalidInput) != source.sha256:
            raise InvalidInput(
                f"sources.{name}.sha256: {path} is not the file that the plan was made of; "
                "remove sha256 from the plan to take it all the same"
            )
        decoded, warnings = decode_warned(path, LIMITS)
        for warning in warnings:
            on_warning(warning)
        sounds[name] = stereo_at(decoded, plan.sample_rate)
    return sounds


def known_sounds(plan: Plan, folder: Path, names: Iterable[str]) -> dict[str, Audio]:
    """Decode those of the named sources that are still the files that were planned.

    Raises:
        InvalidInput: a file cannot be decoded.
    """
    sounds: dict[str, Audio] = {}
    for name, source in plan.sources.items():
        path = folder / source.path
        if name in names and path.is_file() and source.sha256 == file_sha256(path, InvalidInput):
            decoded, _ = decode_warned(path, LIMITS)
            sounds[name] = stereo_at(decoded, plan.sample_rate)
    return sounds


def render_mix(
    plan: Plan,
    sounds: Mapping[str, Audio],
    *,
    device: str = "cpu",
    stretched: StretchedSpans | None = None,
    on_progress: OnProgress | None = None,
) -> MixRender:
    """Render a plan from stereo audio at its sample rate, by source.

    The same plan and audio give the same samples on the same kind of device. `stretched` has
    the spans of an earlier rendering of the same audio, and keeps those of this one.

    Raises:
        InvalidInput: a clip names an unknown engine.
        DeviceUnavailable: the machine lacks the device.
        OutOfMemory: the device cannot hold the tracks.
        DeviceLost: this process can no longer use the device.
    """
    report, clock = on_progress or ignore_progress, Clock()
    place = resolve_device(device)
    report("stretch", 0.0)
    with device_errors(place, "this mashup"), torch.inference_mode():
        there = {
            name: high_pass_vocals(_on(sounds[name], place), source.kind, plan.mix)
            for name, source in plan.sources.items()
        }
        tracks = render_tracks(
            plan,
            there,
            choose_engine,
            stretched=stretched,
            on_progress=lambda share: report("stretch", share),
        )
        clock.lap("stretch", place)
        report("mix", 0.0)
        tracks = duck_tracks(tracks, plan)
        mix = sum_tracks(tracks, plan)
    clock.lap("mix", place)
    return MixRender(mix, tuple(tracks), clock.laps_s)


def make_mashup(
    plan: Plan,
    sounds: Mapping[str, Audio],
    target: Path,
    encode: EncodeOptions,
    *,
    tags: SongTags = NO_TAGS,
    device: str = "cpu",
    corrects: bool = True,
    replan: Replan | None = None,
    on_progress: OnProgress | None = None,
) -> MashupResult:
    """Render a plan, master it, write it with tags, and measure the written file.

    Where measurements are beyond their limits and `corrects` is true, the plan is corrected and
    rendered again, at most twice; the mashup with the fewest misses is kept, with its plan. Spans
    that a correction leaves unchanged are not stretched again, nor attacks of sources found again.
    The phrases of songs whose transposition changes are chosen anew where `replan` is given.

    Raises:
        InvalidInput, DeviceUnavailable, OutOfMemory, DeviceLost: as `render_mix`.
        StorageFailed: the file cannot be written.
    """
    made = partial(
        _made,
        sounds=sounds,
        own_attacks={},
        stretched=StretchedSpans() if corrects else None,
        encode=encode,
        tags=tags,
        device=device,
        report=on_progress or ignore_progress,
    )
    best = latest = made(plan, target)
    spent_s = [latest.timings_s]
    for _ in range(_CORRECTIONS if corrects else 0):
        if best.report.passed:
            break
        changed = _corrected(latest, replan)
        if changed is None:
            break
        with TemporaryDirectory(prefix=".", dir=target.parent) as beside:
            trial = Path(beside) / target.name
            latest = made(changed, trial)
            spent_s.append(latest.timings_s)
            if len(latest.report.failures) < len(best.report.failures):
                best = replace(latest, master=replace(latest.master, path=target))
                trial.replace(target)
    stages = dict.fromkeys(stage for one in spent_s for stage in one)
    timings_s = {stage: sum(one.get(stage, 0.0) for one in spent_s) for stage in stages}
    return replace(best, timings_s=timings_s, rounds=len(spent_s))


def _corrected(made: MashupResult, replan: Replan | None) -> Plan | None:
    """Return the corrected plan, None where no fault can be corrected within the limits."""
    try:
        return corrected_plan(made.plan, made.report.findings, replan)
    except ValidationError:
        return None


def _made(
    plan: Plan,
    target: Path,
    *,
    sounds: Mapping[str, Audio],
    own_attacks: dict[str, Attacks],
    stretched: StretchedSpans | None,
    encode: EncodeOptions,
    tags: SongTags,
    device: str,
    report: OnProgress,
) -> MashupResult:
    render = render_mix(plan, sounds, device=device, stretched=stretched, on_progress=report)
    wanted = plan.master
    request = MasterRequest(
        loudness_lufs=wanted.loudness_lufs,
        true_peak_dbtp=wanted.true_peak_dbtp,
        compression=Compression(wanted.bus_ratio, wanted.bus_reduction_db),
        seed=plan.seed,
        most_limiting_db=wanted.most_limiting_db,
    )
    stems = [
        StemTrack(
            name=track.name,
            kind=track.kind,
            song=track.song,
            audio=_on(track.audio, torch.device("cpu")),
        )
        for track in render.tracks
    ]
    with device_errors(render.mix.samples.device, "this mashup"), ThreadPoolExecutor(1) as beside:
        # Mastering and encoding leave cores idle.
        checking = beside.submit(check_stems, stems, plan, sounds, own_attacks)
        master = write_master(
            with_side_gain(render.mix, wanted.side_gain_db),
            target,
            request,
            encode=encode,
            tags=tags,
            on_progress=report,
        )
    clock = Clock()
    report("check", 0.0)
    lossy, found = not encode.lossless, checking.result()
    own_attacks.update(found.own_attacks)
    measured = check_mix(master.played, plan=plan, stems=found, lossy=lossy, on_progress=report)
    clock.lap("check")
    # A plan that is rendered again has notes of the first time.
    notes = dict.fromkeys((*plan.notes, *_engine_notes(render), *master.notes))
    noted = plan.model_copy(update={"notes": tuple(notes)})
    timings_s = {**render.timings_s, **master.timings_s, **clock.laps_s}
    return MashupResult(
        plan=noted, render=render, master=master, report=measured, timings_s=timings_s
    )


def _engine_notes(render: MixRender) -> tuple[str, ...]:
    users: dict[str, list[str]] = {}
    for name, engines in render.engines.items():
        for engine in engines:
            users.setdefault(engine, []).append(name)
    return tuple(
        f"{' and '.join(names)}: {engine if engine == UNCHANGED else f'stretched by {engine}'}"
        for engine, names in users.items()
    )


def _on(audio: Audio, device: torch.device) -> Audio:
    return Audio(audio.samples.to(device), audio.sample_rate)
