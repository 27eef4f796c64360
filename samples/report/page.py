"""Report as one HTML page that needs no server, network or other file.

Sound is embedded as MP3, pictures as SVG paths and PNG. A 30-second song with four stems takes
about 3 MB, so the page suits songs of minutes, not hours.
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.report.templates import data_uri, static, template
from mashup_worker.system.cores import usable_processors
from mashup_worker.system.files import write_atomically
from samples.report import images
from samples.report.media import TrackMedia, read_track

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from samples.report.content import Report, ReportTrack, SongSection

HUES_DEG = {"vocals": 5.0, "drums": 70.0, "bass": 262.0, "other": 165.0, "guitar": 40.0}
HUES_DEG |= {"piano": 310.0, "instrumental": 215.0}
OTHER_HUES_DEG = (310.0, 120.0, 215.0, 340.0)
STEM_CHROMA = 0.15

MIN_FULL_SCALE = 0.05
"""Smallest peak that a waveform is scaled to full height for, so that noise stays small."""


BEAT_UNITS, DOWNBEAT_UNITS = 7, 14
"""Lengths of the ticks at beats and downbeats."""


@dataclass(frozen=True)
class BeatsView:
    """SVG path data of ticks at beats and downbeats, and of lines at downbeats."""

    beats: str
    downbeats: str
    bar_lines: str


@dataclass(frozen=True)
class TrackView:
    """Track in the form that the template reads."""

    track: ReportTrack
    hue_deg: float
    chroma: float
    columns: int
    outline: str
    body: str
    spectrogram_on_light: str
    spectrogram_on_dark: str
    audio: str
    beats: BeatsView | None = None


@dataclass(frozen=True)
class SongView:
    """Song in the form that the template reads."""

    section: SongSection
    span_s: float
    ticks_s: tuple[float, ...]
    mix: TrackView
    stems: tuple[TrackView, ...]


def render_report(report: Report) -> str:
    """Return the report as HTML, with sound and pictures embedded.

    Raises:
        UnsupportedAudio: the file of a track is missing or cannot be read.
    """
    script = static("player.js", __package__)
    return template("page.html", __package__).render(
        report=report,
        songs=[_song_view(section) for section in report.songs],
        style=static("page.css"),
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        wave_height=2 * images.WAVE_UNITS,
    )


def write_report(report: Report, path: Path) -> None:
    """Write the report, replacing an older one only when it is complete.

    Raises:
        UnsupportedAudio: the file of a track is missing or cannot be read.
        StorageFailed: the page cannot be written.
    """
    write_atomically(path, render_report(report).encode())


def _song_view(section: SongSection) -> SongView:
    tracks = (section.mix, *section.stems)
    span_s = max(0.001, section.duration_s, *(track.duration_s for track in tracks))
    with ThreadPoolExecutor(min(4, usable_processors())) as pool:
        media = list(pool.map(lambda track: read_track(track.path, span_s), tracks))
    full_scale = max(MIN_FULL_SCALE, *(max(-m.low.min(), m.high.max()) for m in media))
    loudest = max(float(m.mel_power.max()) for m in media)
    hues = _hues([stem.kind for stem in section.stems])
    views = [
        _track_view(track, m, full_scale, loudest, hue)
        for track, m, hue in zip(tracks, media, (None, *hues), strict=True)
    ]
    mix = replace(views[0], beats=_beats_view(section.analysis, span_s, views[0].columns))
    return SongView(section, span_s, _ticks(span_s), mix, tuple(views[1:]))


def _beats_view(analysis: Analysis | None, span_s: float, columns: int) -> BeatsView | None:
    if analysis is None or not analysis.beats_s:
        return None
    bars = frozenset(analysis.downbeats_s)
    within = [time_s for time_s in analysis.beats_s if time_s not in bars]
    return BeatsView(
        beats=images.beat_path(within, span_s, columns, BEAT_UNITS),
        downbeats=images.beat_path(analysis.downbeats_s, span_s, columns, DOWNBEAT_UNITS),
        bar_lines=images.beat_path(analysis.downbeats_s, span_s, columns, images.WAVE_UNITS),
    )


def _track_view(
    track: ReportTrack, media: TrackMedia, full_scale: float, loudest: float, hue_deg: float | None
) -> TrackView:
    """Return the view of a track; the mix has no hue and is drawn in gray."""
    hue, chroma = (hue_deg, STEM_CHROMA) if hue_deg is not None else (262.0, 0.02)
    levels = images.spectrogram_levels(media.mel_power, loudest)
    on_light, on_dark = (
        data_uri("image/png", images.png(levels[::-1], images.ramp(hue, chroma, dark=dark)))
        for dark in (False, True)
    )
    return TrackView(
        track=track,
        hue_deg=hue,
        chroma=chroma,
        columns=len(media.low),
        outline=images.wave_path(media.low, media.high, full_scale),
        body=images.wave_path(-media.rms, media.rms, full_scale),
        spectrogram_on_light=on_light,
        spectrogram_on_dark=on_dark,
        audio=data_uri("audio/mpeg", media.mp3),
    )


def _hues(kinds: list[str]) -> list[float]:
    spare = iter(OTHER_HUES_DEG * len(kinds))
    return [HUES_DEG[kind] if kind in HUES_DEG else next(spare) for kind in kinds]


def _ticks(span_s: float) -> tuple[float, ...]:
    steps = (0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
    step = next((s for s in steps if span_s / s <= 9), 3600)
    return tuple(step * n for n in range(int(span_s * 0.9 / step) + 1))
