"""Plans of mashups in both forms, from songs and a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import LOW_PASS_OPEN_HZ, MasterSettings, MixSettings, Plan
from mashup_worker.mixing.plan_grid import PlanGrid
from mashup_worker.mixing.planning.arrangement import set_stretch
from mashup_worker.mixing.planning.gain_automation import automate_gains
from mashup_worker.mixing.planning.layer import arrange_layer
from mashup_worker.mixing.planning.levels import set_gains, split_source_name
from mashup_worker.mixing.planning.medley import arrange_sequence
from mashup_worker.mixing.planning.tempo import find_common_tempo, keep_tempi, share_meter
from mashup_worker.mixing.planning.transposition import transpose_layer, transpose_sequence
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.planning.arrangement import Arrangement
    from mashup_worker.mixing.planning.tempo import CommonTempo
    from mashup_worker.mixing.planning.transposition import Transposition
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong
    from mashup_worker.vocabulary import FormName


def plan_mashup(
    songs: Sequence[MixSong],
    request: MixRequest,
    *,
    form: FormName | None = None,
    vocals_first: bool = False,
    semitones: Mapping[str, int] | None = None,
) -> Plan:
    """Plan a mashup in the requested form, or in the form that suits the songs.

    A sequence plays songs in this order. With `vocals_first` the first song provides the vocals and
    the others the instruments, which makes a layer unless `form` says otherwise. Without it a layer
    takes its vocals from the first song that has any, and instruments with drums come first; its
    songs are transposed by `semitones`, by name, where these are given.

    Raises:
        InvalidInput: the songs cannot be combined; the message names the song or the option.
    """
    if vocals_first and form in (None, "layer"):
        return plan_layer(songs[0], songs[1:], request, semitones=semitones)
    chosen = form or choose_form(songs)
    if chosen != "layer":
        return plan_sequence(songs, request, form=chosen)
    vocal_song = next((song for song in songs if song.vocals), None)
    if vocal_song is None:
        raise InvalidInput("layer: no song has vocals; add a vocal stem, or choose sequence")
    backing = [song for song in songs if song.instruments and song is not vocal_song]
    backing.sort(key=lambda song: DRUMS not in song.stems)  # the first song sets the tempo
    return plan_layer(vocal_song, backing or [vocal_song], request, semitones=semitones)


def choose_form(songs: Sequence[MixSong]) -> FormName:
    """Return `layer` where exactly one of several songs has vocals, `sequence` otherwise."""
    with_vocals = [song for song in songs if song.vocals]
    return "layer" if len(with_vocals) == 1 and len(songs) > 1 else "sequence"


def plan_layer(
    vocal_song: MixSong,
    backing_songs: Sequence[MixSong],
    request: MixRequest,
    *,
    semitones: Mapping[str, int] | None = None,
) -> Plan:
    """Plan one song's vocals over other songs' instruments; the first of them sets the tempo.

    Songs are transposed by `semitones`, by name, or else to the keys that agree best.

    Raises:
        InvalidInput: the songs cannot be combined; the message names the song or the option.
    """
    if not backing_songs:
        raise InvalidInput(f"{vocal_song.name}: no backing song; name a song to lay it over")
    for song in backing_songs:
        if not song.instruments:
            raise InvalidInput(f"{song.name}: no instruments; name another backing song")
    (*backing_songs, vocal_song), meter_notes = share_meter([*backing_songs, vocal_song])
    songs = list(dict.fromkeys([*backing_songs, vocal_song]))
    tempo = find_common_tempo(songs, request.tempo_bpm, forced=request.forced)
    keys = transpose_layer(
        vocal_song, backing_songs, request.key, forced=request.forced, given=semitones
    )
    arrangement = arrange_layer(
        vocal_song, backing_songs, request, tempo=tempo, semitones=keys.semitones
    )
    return _plan("layer", songs, request, tempo, keys, arrangement, meter_notes)


def plan_sequence(
    songs: Sequence[MixSong], request: MixRequest, *, form: FormName = "sequence"
) -> Plan:
    """Plan songs one after another; the first sets the tempo of those that meet it.

    A medley takes short parts of the songs, their choruses where they are known.

    Raises:
        InvalidInput: the songs cannot be combined; the message names the song or the option.
    """
    if not songs:
        raise InvalidInput("sequence: no songs; name one or more")
    songs, meter_notes = share_meter(songs)
    tempo = keep_tempi(songs, request.tempo_bpm, forced=request.forced)
    keys = transpose_sequence(songs, request.key, forced=request.forced)
    arrangement = arrange_sequence(
        songs, request, tempo, semitones=keys.semitones, short=form == "medley"
    )
    return _plan(form, songs, request, tempo, keys, arrangement, meter_notes)


def _plan(
    form: FormName,
    songs: Sequence[MixSong],
    request: MixRequest,
    tempo: CommonTempo,
    keys: Transposition,
    arrangement: Arrangement,
    meter_notes: Sequence[str],
) -> Plan:
    by_name = {song.name: song for song in songs}
    vibe, intensity = request.vibe_settings, request.intensity
    lift_lu = vibe.vocal_lift_lu.at(intensity) if form == "layer" else None
    grid = PlanGrid(
        tempo_bpm=round(tempo.tempo_bpm, 6),
        beats_per_bar=3 if tempo.beats_per_bar == 3 else 4,
        bars=arrangement.bars,
        tempo_changes=tuple((bar, round(bpm, 6)) for bar, bpm in arrangement.tempo_changes),
    )
    clips = set_gains(arrangement, by_name, lift_lu)
    clips = automate_gains(clips, by_name, grid)
    sources = {}
    for name in dict.fromkeys(clip.source for clip in clips):
        song, kind = split_source_name(name)
        sources[name] = by_name[song].source(kind)
    return Plan(
        form=form,
        vibe=request.vibe,
        intensity=intensity,
        transition=request.transition or vibe.transition,
        seed=request.seed,
        key=keys.key,
        grid=grid,
        sources=sources,
        clips=set_stretch(clips, sources, grid, engine=request.engine),
        sections=arrangement.sections,
        mix=_mix_settings(request),
        master=_master_settings(request),
        allow_two_vocals=request.allow_two_vocals,
        forced=request.forced,
        requested=_requested(request),
        notes=(*tempo.notes, *meter_notes, *keys.notes, *arrangement.notes),
    )


def _requested(request: MixRequest) -> tuple[Literal["key", "loudness"], ...]:
    given: dict[Literal["key", "loudness"], object] = {
        "key": request.key,
        "loudness": request.loudness_lufs,
    }
    return tuple(name for name, value in given.items() if value is not None)


def _mix_settings(request: MixRequest) -> MixSettings:
    vibe, intensity = request.vibe_settings, request.intensity
    tone_hz = vibe.tone_low_pass_hz.at(intensity)
    return MixSettings(
        vocal_dip_db=round(vibe.vocal_dip_db.at(intensity), 2),
        duck_db=round(vibe.duck_db.at(intensity), 2),
        tone_low_pass_hz=None if tone_hz >= LOW_PASS_OPEN_HZ else round(tone_hz),
    )


def _master_settings(request: MixRequest) -> MasterSettings:
    vibe, intensity = request.vibe_settings, request.intensity
    loudness = request.loudness_lufs
    return MasterSettings(
        loudness_lufs=round(vibe.loudness_lufs.at(intensity), 2) if loudness is None else loudness,
        true_peak_dbtp=request.true_peak_dbtp,
        bus_ratio=vibe.bus_ratio,
        bus_reduction_db=round(vibe.bus_reduction_db.at(intensity), 2),
    )
