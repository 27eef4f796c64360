"""Plot of an analysis: complete for any result, with everything at its place."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.analysis.form.result import (
    Bar,
    ChordSpan,
    CuePoint,
    Loop,
    Section,
    SingingInterval,
)
from mashup_worker.analysis.result import (
    Analysis,
    AnalyzeResult,
    Evidence,
    KeyCandidate,
    TempoCandidate,
)
from mashup_worker.audio.signal import Audio
from mashup_worker.plots import form_panel, panels
from mashup_worker.plots.analysis import analysis_png, draw_analysis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE_HZ = 8_000
TEMPI_BPM = 30 * 2 ** (torch.arange(200) / 60)


def evidence(duration_s: float, level: float = 1.0) -> Evidence:
    """Evidence of a song whose strongest tempo is 120 BPM and whose only note is A."""
    frames, steps = round(duration_s * 10), round(duration_s * 10)
    tempo = torch.exp(-((torch.log2(TEMPI_BPM / 120)) ** 2) / 0.01)
    chroma = torch.zeros(12, frames)
    chroma[9] = level
    return Evidence(
        tempogram=level * tempo[:, None].repeat(1, frames),
        tempogram_bpm=TEMPI_BPM,
        tempogram_times_s=torch.arange(frames) / 10,
        chroma=chroma,
        chroma_times_s=torch.arange(frames) / 10,
        loudness_times_s=(torch.arange(steps) + 1) / 10,
        momentary_lufs=torch.full((steps,), -14.0 if level else -torch.inf),
        short_term_lufs=torch.full((steps,), -15.0 if level else -torch.inf),
    )


def song(duration_s: float = 16.0) -> AnalyzeResult:
    beats_s = tuple(0.25 + 0.5 * n for n in range(int(2 * duration_s)))
    analysis = Analysis(
        duration_s,
        tempo_bpm=120.0,
        tempo_confidence=0.9,
        tempo_candidates=(TempoCandidate(120.0, 0.7), TempoCandidate(60.0, 0.3)),
        tempo_stable=True,
        beats_s=beats_s,
        downbeats_s=beats_s[::4],
        beats_per_bar=4,
        key="A minor",
        camelot="8A",
        key_confidence=0.8,
        key_candidates=(KeyCandidate("A minor", "8A", 0.5),),
        key_profile="temperley",
        tuning_cents=-3.0,
        loudness_lufs=-14.5,
        loudness_range_lu=2.0,
        true_peak_dbtp=-1.0,
    )
    return AnalyzeResult(analysis, evidence(duration_s))


def noise(duration_s: float = 16.0, channels: int = 2) -> Audio:
    generator = torch.Generator().manual_seed(1)
    samples = torch.rand(channels, round(duration_s * RATE_HZ), generator=generator) - 0.5
    return Audio(samples, RATE_HZ)


def texts(figure: Figure | Axes) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def lines_at(axes: Axes) -> list[list[float]]:
    """Return the positions of each group of vertical lines."""
    from matplotlib.collections import LineCollection

    groups = [one for one in axes.collections if isinstance(one, LineCollection)]
    return [[float(segment[0][0]) for segment in group.get_segments()] for group in groups]


def test_the_plot_is_a_png_of_its_size() -> None:
    content = analysis_png(song(), noise(), "song")
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1600, 1200)


def test_drawing_is_independent_of_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it fails
    assert analysis_png(song(2.0), noise(2.0), "song")


def test_beats_and_bars_are_at_their_times() -> None:
    result = song(36.0)
    waveform = draw_analysis(result, noise(36.0), "song").axes[0]
    beats, bars = lines_at(waveform)
    assert beats == pytest.approx(result.analysis.beats_s)
    assert bars == pytest.approx(result.analysis.downbeats_s)
    numbers = {text for text in texts(waveform).split("\n") if text.isdigit()}
    assert numbers == {"1", "9", "17"}


def test_figures_are_shown() -> None:
    figure = draw_analysis(song(), noise(), "A song")
    facts = texts(figure)
    for fact in ("A song", "120.00", "60.0", "A minor (8A)", "-14.5", "true peak -1.0 dBTP"):
        assert fact in facts
    tempogram, chroma = figure.axes[1], figure.axes[2]
    assert any(np.allclose(line.get_ydata(), np.log2(120)) for line in tempogram.lines)
    bold = {text.get_text() for text in chroma.get_yticklabels() if text.get_fontweight() == "bold"}
    assert bold == {"A", "B", "C", "D", "E", "F", "G"}


def extents(axes: Axes, low: float, high: float) -> list[list[float]]:
    """Return start and end of the rectangles that lie between two heights."""
    from matplotlib.collections import PolyCollection

    boxes = [path.get_extents() for one in axes.findobj(PolyCollection) for path in one.get_paths()]
    inside = (box for box in boxes if low <= box.y0 and box.y1 <= high)
    return [box.intervalx.tolist() for box in inside]


def test_the_form_is_at_its_times() -> None:
    result = song()
    analysis = replace(
        result.analysis,
        sections=(
            Section(0.25, 8.25, "A", 0.9, "verse", 0.5),
            Section(8.25, 16.0, "B", 0.9, "chorus", 0.5),
        ),
        bars=tuple(Bar(0.25 + 2 * n, 0.5 + 0.05 * n, -3.0) for n in range(8)),
        singing=(SingingInterval(4.0, 6.0, 1.0),),
        singing_known=True,
        chords=(
            ChordSpan(0.25, 4.25, "A:min", 0.9),
            ChordSpan(4.25, 6.25, "N", 0.9),
            ChordSpan(6.25, 16.0, "Bb:maj7", 0.9),
        ),
        loops=(Loop(8.25, 16.0, 4, 0.9), Loop(12.25, 16.0, 2, 0.8), Loop(0.25, 4.25, 2, 0.7)),
        cue_points=(
            CuePoint(0.25, "first downbeat", 0.5),
            CuePoint(8.25, "mix out", 0.5),
            CuePoint(8.25, "drop", 0.5),
        ),
    )
    form = draw_analysis(replace(result, analysis=analysis), noise(), "song").axes[4]
    written = {"A verse", "B chorus", "first downbeat", "mix out, drop"}
    assert written | {"Am", "B♭maj7", "4 bars", "2 bars"} <= set(texts(form).split("\n"))
    times = {line.get_label(): np.asarray(line.get_xdata()).tolist() for line in form.lines}
    assert times["energy"][:3] == [0.25, 2.25, 2.25]
    assert times["cue points"] == [0.25, 8.25]
    assert extents(form, 0, 1.1) == [[0.25, 8.25], [8.25, 16.0]]
    singing, loops, chords = (
        extents(form, low, low + height)
        for low, height in (form_panel.SINGING, form_panel.LOOPS, form_panel.CHORDS)
    )
    assert singing == [[4.0, 6.0]]
    assert loops == [[8.25, 16.0], [0.25, 4.25]]  # the best of those that overlap
    assert chords == [[0.25, 4.25], [6.25, 16.0]]


def test_an_unknown_form_is_stated() -> None:
    form = texts(draw_analysis(song(), noise(), "song").axes[4])
    assert "without steady bars" in form
    assert "singing unknown" in form


def test_texts_that_do_not_fit_are_left_out() -> None:
    result = song(600.0)
    analysis = replace(
        result.analysis,
        sections=(Section(0.25, 400.25, "A", 0.9, "verse", 0.5), Section(400.25, 404.25, "B", 0.9)),
        chords=(ChordSpan(0.25, 2.25, "A:min", 0.9),),
    )
    found = texts(draw_analysis(AnalyzeResult(analysis, result.evidence), noise(), "s").axes[4])
    assert "A verse" in found.split("\n")
    assert not {"B", "Am"} & set(found.split("\n"))


def test_images_show_a_tempo_and_a_note_at_their_places() -> None:
    tempogram, chroma = draw_analysis(song(), noise(), "song").axes[1:3]
    image = np.asarray(tempogram.images[0].get_array())
    _, _, low, high = tempogram.images[0].get_extent()
    strongest = low + (high - low) * image.mean(axis=1).argmax() / (len(image) - 1)
    assert 2**strongest == pytest.approx(120, rel=0.02)
    assert np.asarray(chroma.images[0].get_array()).mean(axis=1).argmax() == 9


def test_a_tempo_that_varies_is_a_curve() -> None:
    result = song(60.0)
    beats_s = np.cumsum(60 / np.linspace(100, 140, 100))
    analysis = replace(result.analysis, tempo_stable=False, beats_s=tuple(beats_s))
    tempogram = draw_analysis(AnalyzeResult(analysis, result.evidence), noise(60.0), "song").axes[1]
    curve = 2 ** np.asarray(tempogram.lines[0].get_ydata())
    assert curve[0] == pytest.approx(102, abs=2)
    assert curve[-1] == pytest.approx(138, abs=2)
    assert "varies, mainly" in texts(tempogram)


@pytest.mark.parametrize("duration_s", [0.0, 1 / RATE_HZ, 0.2, 10.0])
def test_silence_and_short_sounds_have_placeholders(duration_s: float) -> None:
    result = AnalyzeResult(Analysis(duration_s), evidence(duration_s, level=0.0))
    silence = Audio(torch.zeros(1, round(duration_s * RATE_HZ)), RATE_HZ)
    assert analysis_png(result, silence, "silence")
    panels_said = [texts(axes) for axes in draw_analysis(result, silence, "silence").axes]
    assert "silence" in panels_said[0] or "no sound" in panels_said[0]
    assert all("too short or too quiet" in said for said in panels_said[1:])


def test_a_missing_tempo_or_key_is_stated() -> None:
    figure = draw_analysis(AnalyzeResult(Analysis(16.0), evidence(16.0)), noise(), "noise")
    for fact in ("no beats found", "no tempo found", "no key found"):
        assert fact in texts(figure)


@pytest.mark.parametrize(
    "title", ["$\\frac{1}{$", "夜の歌", "\udcff.wav", "two\nlines", "", "n" * 300]
)
def test_any_name_is_a_title(title: str) -> None:
    assert analysis_png(song(1.0), noise(1.0), title)


def test_an_hour_is_drawn_with_few_lines_and_points() -> None:
    hour = song(3600.0)
    figure = draw_analysis(hour, Audio(torch.rand(1, 3_600_000) - 0.5, 1000), "hour")
    assert sum(map(len, lines_at(figure.axes[0]))) < 100
    assert all(image.get_size()[1] <= panels.COLUMNS for a in figure.axes for image in a.images)
    assert all(
        len(np.atleast_1d(line.get_xdata())) <= panels.COLUMNS for line in figure.axes[3].lines
    )


@pytest.mark.parametrize("block_samples", [1 << 20, 7_000, 1])
def test_the_envelope_keeps_every_peak(monkeypatch: pytest.MonkeyPatch, block_samples: int) -> None:
    monkeypatch.setattr(panels, "_BLOCK_SAMPLES", block_samples)
    samples = torch.zeros(2, 100_003)
    samples[0, 50_000], samples[1, 100_002] = 0.5, -0.25
    low, high = panels.envelope(Audio(samples, RATE_HZ))
    assert len(low) == len(high) <= panels.COLUMNS
    assert (high.max(), low.min()) == (0.5, -0.25)
    assert high.argmax() / len(high) == pytest.approx(0.5, abs=0.01)
    assert low.argmin() == len(low) - 1


@pytest.mark.parametrize(
    ("key", "tonic", "notes"),
    [
        ("C major", 0, "0 2 4 5 7 9 11"),
        ("A minor", 9, "0 2 4 5 7 9 11"),
        ("F# minor", 6, "1 2 4 6 8 9 11"),
        ("Eb major", 3, "0 2 3 5 7 8 10"),
    ],
)
def test_notes_of_keys(key: str, tonic: int, notes: str) -> None:
    assert panels.notes_of(key) == (tonic, frozenset(map(int, notes.split())))


@pytest.mark.parametrize("key", [None, "", "H major", "A dorian"])
def test_unknown_keys_have_no_notes(key: str | None) -> None:
    assert panels.notes_of(key) == (None, frozenset())
