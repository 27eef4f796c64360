"""Projects of separated songs: a track for each stem, with the tempo map of the song."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.exports.dawproject.project import AudioFile, Clip, Project, Track
from mashup_worker.exports.song import require_tracks
from mashup_worker.system.names import safe_name

if TYPE_CHECKING:
    from mashup_worker.exports.song import ExportSong, ExportTrack
    from mashup_worker.exports.tempo_map import TempoMap

_TOLERANCE_S = 1e-4
_UNKNOWN_TEMPO_BPM = 120.0


def separated_project(song: ExportSong) -> Project:
    """Return the project of a song; without a beat, its positions are seconds.

    Raises:
        InvalidInput: the song has no stems, or they cannot be decoded.
    """
    beats = song.tempo_map
    stems = require_tracks(song, "a DAWproject")
    tracks = tuple(_track(index, one, beats) for index, one in enumerate(stems))
    if beats is None:
        return Project(
            tags=song.music_tags,
            tracks=tracks,
            tempi=((0.0, _UNKNOWN_TEMPO_BPM),),
            meters=((0.0, 4, 4),),
            markers=tuple((one.start_s, one.name) for one in song.markers),
            in_seconds=True,
        )
    quarters = beats.quarters_per_beat
    return Project(
        tags=song.music_tags,
        tracks=tracks,
        tempi=tuple(
            (one.beat * quarters, one.tempo_bpm * quarters) for one in beats.segments(_TOLERANCE_S)
        ),
        meters=tuple(
            (
                beat * quarters,
                round(length * beats.numerator / beats.beats_per_bar),
                beats.denominator,
            )
            for beat, length in beats.bar_lengths
        ),
        markers=tuple(
            (max(0.0, beats.beat_at(one.start_s) * quarters), one.name) for one in song.markers
        ),
    )


def _track(index: int, track: ExportTrack, beats: TempoMap | None) -> Track:
    audio = track.audio()
    path = f"audio/{index + 1} {safe_name(track.name)}.wav"
    if beats is None:
        file, start, duration = AudioFile(path=path, audio=audio), 0.0, audio.duration_s
    else:
        start, warps = _warps(audio.duration_s, beats)
        file, duration = AudioFile(path=path, audio=audio, warps=warps), warps[-1][0]
    clip = Clip(name=track.name, comment="", file=file, start=start, duration=duration)
    return Track(name=track.name, kind=track.kind, clips=(clip,))


def _warps(duration_s: float, beats: TempoMap) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Return the position of the first sample, and positions relative to it with their times."""
    quarters = beats.quarters_per_beat
    start = beats.beat_at(0.0) * quarters
    changes = [one.beat for one in beats.segments(_TOLERANCE_S)]
    inside = [(beat, beats.beats_s[beat]) for beat in changes if beats.beats_s[beat] > 0]
    anchors = [(beat * quarters - start, at) for beat, at in inside if at < duration_s]
    stop = beats.beat_at(duration_s) * quarters - start
    return start, ((0.0, 0.0), *anchors, (stop, duration_s))
