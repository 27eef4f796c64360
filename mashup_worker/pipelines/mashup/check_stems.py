"""Measure the stems of a mashup; this needs no mix and can run while the mix is encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.decode import LOUDEST
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures import arrangement, splices
from mashup_worker.mixing.measures.attacks import Attacks, find_attacks
from mashup_worker.mixing.measures.tonality import KeyFit, key_fit
from mashup_worker.mixing.measures.tracks import StemTrack, check_tracks, group_by_song, sum_stems
from mashup_worker.mixing.song import LoudnessEnvelope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mashup_worker.mixing.measures.report import Measurement
    from mashup_worker.mixing.plan import Plan


@dataclass(frozen=True, eq=False)
class CheckedStems:
    """Stems, mono or stereo, without non-finite samples, and their measurements.

    `own_attacks` are those of the sources, by name, as far as they are known. `key` is the
    agreement of vocals and accompaniment, `room` how stems share the spectrum; `clicks` at the
    edges of clips need a plan.
    """

    stems: tuple[StemTrack, ...] = ()
    attacks: Mapping[str, Attacks] = field(default_factory=dict)
    own_attacks: Mapping[str, Attacks] = field(default_factory=dict)
    key: KeyFit | None = None
    clicks: tuple[tuple[str, float], ...] = ()
    click_count: Measurement | None = None
    room: tuple[Measurement, ...] = ()


def check_stems(
    stems: Sequence[StemTrack],
    plan: Plan | None,
    sounds: Mapping[str, Audio] | None = None,
    own_attacks: Mapping[str, Attacks] = MappingProxyType({}),
) -> CheckedStems:
    """Measure rendered stems before the bus.

    `sounds` are the sources of the plan, and `own_attacks` their attacks, both as far as they are
    known.

    Raises:
        InvalidInput: stems differ in sample rate, or two share a name.
    """
    check_tracks(stems)
    usable = tuple(
        StemTrack(name=one.name, kind=one.kind, song=one.song, audio=without_excess(one.audio))
        for one in stems
    )
    if not usable:
        return CheckedStems()
    attacks = {track.name: find_attacks(track.audio) for track in usable}
    voices = sum_stems([track for track in usable if track.is_vocal])
    with_pitch = sum_stems([track for track in usable if track.is_pitched_instrument])
    own_song = plan is not None and plan.form != "layer"
    spliced = {} if plan is None else _spliced(usable, attacks, plan)
    clicks = splices.find_clicks(spliced)
    return CheckedStems(
        stems=usable,
        attacks=attacks,
        own_attacks=_own_attacks(usable, plan, sounds or {}, own_attacks),
        key=key_fit(voices, with_pitch, own_song=own_song),
        clicks=clicks,
        click_count=None if plan is None else splices.count_clicks(spliced, clicks),
        room=tuple(_room(usable, plan)),
    )


def _own_attacks(
    stems: Sequence[StemTrack],
    plan: Plan | None,
    sounds: Mapping[str, Audio],
    known: Mapping[str, Attacks],
) -> dict[str, Attacks]:
    names = {track.name for track in stems}
    given = [name for name in (plan.sources if plan else ()) if name in names and name in sounds]
    return {name: known[name] if name in known else find_attacks(sounds[name]) for name in given}


def _spliced(
    stems: Sequence[StemTrack], attacks: dict[str, Attacks], plan: Plan
) -> dict[str, splices.SplicedAudio]:
    sounds = {}
    for track in stems:
        edges = {edge for span in arrangement.clip_spans_s(track, plan) for edge in span}
        inside = tuple(edge for edge in sorted(edges) if 0 < edge < plan.grid.duration_s - 1e-6)
        sounds[track.name] = splices.SplicedAudio(track.audio, inside, attacks[track.name])
    return sounds


def _room(stems: Sequence[StemTrack], plan: Plan | None) -> Iterator[Measurement]:
    songs = group_by_song(stems)
    voices = {
        song: sum_stems([track for track in tracks if track.is_vocal])
        for song, tracks in songs.items()
    }
    sung = {song: LoudnessEnvelope.of(voice) for song, voice in voices.items() if voice is not None}
    every_voice = sum_stems([track for track in stems if track.is_vocal])
    others = sum_stems([track for track in stems if not track.is_vocal])
    yield arrangement.vocal_lift(
        next(iter(sung.values())) if len(sung) == 1 else _envelope(every_voice),
        _envelope(others),
        # A song's own balance is its producer's.
        judged=plan is not None and plan.form == "layer",
    )
    yield arrangement.bass_overlap(songs)
    yield arrangement.vocal_overlap(sung, allowed=bool(plan and plan.allow_two_vocals))
    if plan is not None:
        for track in stems:
            yield arrangement.outside_clips(track, plan)


def _envelope(audio: Audio | None) -> LoudnessEnvelope | None:
    return LoudnessEnvelope.of(audio) if audio else None


def without_excess(audio: Audio) -> Audio:
    """Return audio with at most two channels, without non-finite samples."""
    samples = fold_to_stereo(audio.samples.detach().float())
    if samples.numel() and not float(samples.abs().max()) <= LOUDEST:
        samples = torch.where(samples.abs() <= LOUDEST, samples, 0.0)
    return Audio(samples, audio.sample_rate)
