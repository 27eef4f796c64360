"""Markers of songs and mashups: sections, hot cues and memory cues in order of time."""

from __future__ import annotations

from mashup_worker.analysis.form.result import CuePoint, Section
from mashup_worker.analysis.result import Analysis
from mashup_worker.exports.markers import Marker, markers_of_analysis, markers_of_plan
from tests.unit.mashups import mashup_plan


def test_sections_and_cue_points_are_in_order_and_drops_are_marked_once() -> None:
    analysis = Analysis(
        60.0,
        sections=(
            Section(0.3, 16.3, "A", 0.9, "intro", 0.8),
            Section(16.3, 32.3, "B", 0.9, "chorus", 0.8),
            Section(32.3, 60.0, "C", 0.9),
        ),
        cue_points=(
            CuePoint(0.3, "first downbeat", 1.0),
            CuePoint(8.3, "mix in", 0.8),
            CuePoint(16.31, "drop", 0.8),
            CuePoint(40.3, "break", 0.8),
            CuePoint(48.3, "mix out", 0.8),
        ),
    )
    found = [(one.start_s, one.name, one.kind, one.stop_s) for one in markers_of_analysis(analysis)]
    assert found == [
        (0.3, "Intro A", "section", 16.3),
        (0.3, "First downbeat", "memory cue", None),
        (8.3, "Mix in", "memory cue", None),
        (16.3, "Chorus B", "section", 32.3),
        (32.3, "C", "section", 60.0),
        (40.3, "Break", "hot cue", None),
        (48.3, "Mix out", "memory cue", None),
    ]


def test_sections_of_a_mashup_follow_its_tempo() -> None:
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 8, "tempo_changes": [[4, 60.0]]}
    sections = [
        {"name": "outro", "at_bar": 4, "bars": 4},
        {"name": "intro", "at_bar": 0, "bars": 4},
    ]
    plan = mashup_plan({"a/drums": [(0, 4)]}, grid=grid, sections=sections)
    assert markers_of_plan(plan) == (
        Marker(start_s=0.0, name="intro", kind="section", stop_s=8.0),
        Marker(start_s=8.0, name="outro", kind="section", stop_s=24.0),
    )


def test_without_form_there_are_no_markers() -> None:
    assert markers_of_analysis(Analysis(3.0)) == ()
