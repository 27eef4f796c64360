"""From songs and wishes to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Grid, Master, Mix, Plan
from mashup_worker.mixing.planning.arrangement import stretched
from mashup_worker.mixing.planning.gain_automation import ridden
from mashup_worker.mixing.planning.layer import arrange_layer
from mashup_worker.mixing.planning.levels import balanced, split
from mashup_worker.mixing.planning.medley import arrange_sequence
from mashup_worker.mixing.planning.tempo import common_pace, sharing_bars
from mashup_worker.mixing.planning.transposition import for_layer, for_sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.arrangement import Arrangement
    from mashup_worker.mixing.planning.tempo import Pace
    from mashup_worker.mixing.request import Form, MixRequest
    from mashup_worker.mixing.song import MixSong

_NOTHING_SOFTENED_HZ = 20_000.0


def form_for(songs: Sequence[MixSong]) -> Form:
    """`layer` where one song sings and others do not, `sequence` otherwise."""
    singers = [song for song in songs if song.vocals]
    return "layer" if len(singers) == 1 and len(songs) > 1 else "sequence"


def plan_layer(
    singer: MixSong, hosts: Sequence[MixSong], request: MixRequest, rate_hz: int = 44_100
) -> Plan:
    """Plan one song's voice over others' instruments.

    Args:
        singer: the song that sings. It may be one of the hosts.
        hosts: the songs that play; the first sets the tempo.
        request: how the mashup should be.
        rate_hz: sample rate of the result.

    Raises:
        InvalidInput: the songs can't be brought together; the message names song or wish.
    """
    if not hosts:
        raise InvalidInput(f"{singer.name} sings over nothing: name a song to lay it over")
    for host in hosts:
        if not host.instruments:
            raise InvalidInput(f"{host.name} has no instruments to sing over")
    (*hosts, singer), counted = sharing_bars([*hosts, singer])
    songs = list(dict.fromkeys([*hosts, singer]))
    pace = common_pace(songs, request.tempo_bpm, request.forced)
    moves = for_layer(singer, hosts, request.key, request.forced)
    arrangement = arrange_layer(singer, hosts, request, pace, moves.semitones)
    notes = (*counted, *moves.notes)
    return _plan("layer", songs, request, pace, arrangement, moves.key, notes, rate_hz)


def plan_sequence(songs: Sequence[MixSong], request: MixRequest, rate_hz: int = 44_100) -> Plan:
    """Plan songs one after another; the first sets the tempo.

    Raises:
        InvalidInput: as `plan_layer`.
    """
    if not songs:
        raise InvalidInput("no song to play")
    songs, counted = sharing_bars(songs)
    pace = common_pace(songs, request.tempo_bpm, request.forced)
    moves = for_sequence(songs, request.key, request.forced)
    arrangement = arrange_sequence(songs, request, pace, moves.semitones)
    notes = (*counted, *moves.notes)
    return _plan("sequence", songs, request, pace, arrangement, moves.key, notes, rate_hz)


def _plan(
    form: Form,
    songs: Sequence[MixSong],
    request: MixRequest,
    pace: Pace,
    arrangement: Arrangement,
    key: str | None,
    notes: Sequence[str],
    rate_hz: int,
) -> Plan:
    by_name = {song.name: song for song in songs}
    vibe, intensity = request.figures, request.intensity
    lift_lu = vibe.vocal_lift_lu.at(intensity)
    clips = balanced(arrangement, by_name, lift_lu, layered=form == "layer")
    clips = ridden(clips, by_name, arrangement.bars, pace.bar_s)
    names = dict.fromkeys(clip.source for clip in clips)
    sources = {}
    for source in names:
        song, kind = split(source)
        sources[source] = by_name[song].source(kind)
    grid = Grid(
        tempo_bpm=round(pace.tempo_bpm, 6),
        beats_per_bar=3 if pace.beats_per_bar == 3 else 4,
        bars=arrangement.bars,
    )
    return Plan(
        form=form,
        vibe=request.vibe,
        intensity=intensity,
        transition=request.transition or vibe.transition,
        seed=request.seed,
        key=key,
        rate_hz=rate_hz,
        grid=grid,
        sources=sources,
        clips=stretched(clips, sources, grid.bar_s, request.engine),
        sections=arrangement.sections,
        mix=mix_settings(request),
        master=master_settings(request),
        allow_two_vocals=request.allow_two_vocals,
        forced=request.forced,
        notes=(*pace.notes, *notes, *arrangement.notes),
    )


def mix_settings(request: MixRequest) -> Mix:
    """How the vibe puts parts together."""
    vibe, intensity = request.figures, request.intensity
    tone_hz = vibe.tone_low_pass_hz.at(intensity)
    return Mix(
        pocket_db=round(vibe.pocket_db.at(intensity), 2),
        duck_db=round(vibe.duck_db.at(intensity), 2),
        tone_low_pass_hz=None if tone_hz >= _NOTHING_SOFTENED_HZ else round(tone_hz),
    )


def master_settings(request: MixRequest) -> Master:
    """How the vibe finishes the sum."""
    vibe, intensity = request.figures, request.intensity
    loudness = request.loudness_lufs
    return Master(
        loudness_lufs=round(vibe.loudness_lufs.at(intensity), 2) if loudness is None else loudness,
        true_peak_dbtp=request.true_peak_dbtp,
        bus_ratio=vibe.bus_ratio,
        bus_reduction_db=round(vibe.bus_reduction_db.at(intensity), 2),
    )
