"""Beats, numbers and words of the studio, in the modules that need no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

BEATS_S = [0.5 + 0.5 * index for index in range(16)]
ANALYSIS = {"beats_s": BEATS_S, "downbeats_s": BEATS_S[1::4]}
DURATION_S = 9.0


def on_grid(page: Page, expression: str, analysis: dict[str, Any] | None = ANALYSIS) -> Any:
    """Evaluate an expression over the `grid` of an analysis."""
    script = f"""async ([analysis, durationS]) => {{
        const {{ BeatGrid }} = await import("/page/song/grid.js");
        const grid = new BeatGrid(analysis, durationS);
        return {expression};
    }}"""
    return page.evaluate(script, [analysis, DURATION_S])


def words(page: Page, **error: object) -> str:
    """Return the words for an error, as one text."""
    script = """async (error) => {
        const { texts } = await import("/page/texts.js");
        const { what, todo } = texts.errors.words(error);
        return `${what} ${todo}`;
    }"""
    return str(page.evaluate(script, error))


def test_positions_are_counted_in_bars_and_beats(page: Page) -> None:
    assert on_grid(page, "grid.place(0.6)") is None
    assert on_grid(page, "grid.place(1.0)") == {"bar": 1, "beat": 1}
    assert on_grid(page, "grid.place(0.99)") == {"bar": 1, "beat": 1}
    assert on_grid(page, "grid.place(2.7)") == {"bar": 1, "beat": 4}
    assert on_grid(page, "grid.place(3.1)") == {"bar": 2, "beat": 1}


def test_steps_go_from_beat_to_beat_and_end_at_the_borders(page: Page) -> None:
    assert on_grid(page, "grid.nextBeat(1.0, 1)") == 1.5
    assert on_grid(page, "grid.nextBeat(1.2, -1)") == 1.0
    assert on_grid(page, "grid.nextBar(1.2, 1)") == 3.0
    assert on_grid(page, "grid.nextBar(1.0, -1)") == 0
    assert on_grid(page, "grid.nextBar(8.5, 1)") == DURATION_S


SECTIONS = [
    {"start_s": 0.0, "stop_s": 3.0, "label": "A", "role": "intro"},
    {"start_s": 3.0, "stop_s": 6.0, "label": "B", "role": "verse"},
    {"start_s": 6.0, "stop_s": 9.0, "label": "C", "role": None},
]


def drawn_form(page: Page, width: int, **form: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the texts and the accented rectangles and marks of a ruler of 9 s."""
    script = """async ([width, form]) => {
        const { drawRuler } = await import("/page/song/ruler-drawing.js");
        const { BeatGrid } = await import("/page/song/grid.js");
        const context = document.createElement("canvas").getContext("2d");
        const drawn = { texts: [], accents: [], marks: [] };
        context.fillText = (text) => drawn.texts.push(text);
        context.fillRect = (x, _y, width) => {
            if (context.fillStyle === "#ff0000") drawn.accents.push([x, x + width]);
        };
        const { lineTo } = context;
        context.fill = () => drawn.marks.push(drawn.tip);
        context.lineTo = (x, y) => { drawn.tip = x; lineTo.call(context, x, y); };
        const pxPerS = { value: width / 9 };
        const timeline = { xOf: (at) => at * pxPerS.value, timeAt: (x) => x / pxPerS.value,
            pxPerS, durationS: { value: 9 } };
        const colors = { text: "black", muted: "gray", line: "gray", strong: "gray",
            accent: "red", soft: "pink", sections: ["white", "silver"] };
        const grid = new BeatGrid(form, 9);
        drawRuler(context, { width, height: 84, grid, timeline, colors, loop: null });
        return drawn;
    }"""
    drawn: dict[str, list[Any]] = page.evaluate(script, [width, form])
    drawn["texts"] = [text for text in drawn["texts"] if ":" not in text]
    return drawn


@pytest.mark.parametrize(
    ("width", "texts"), [(900, ["A · Intro", "B · Verse", "C"]), (105, ["A", "B", "C"]), (9, [])]
)
def test_sections_show_letter_and_role_where_they_fit(
    page: Page, width: int, texts: list[str]
) -> None:
    assert drawn_form(page, width, sections=SECTIONS)["texts"] == texts


def test_chords_singing_and_cue_points_are_at_their_times(page: Page) -> None:
    chords = [
        {"start_s": start_s, "stop_s": start_s + 1.5, "label": label}
        for start_s, label in ((0, "A:min"), (1.5, "N"), (3, "Bb:maj"), (4.5, "F#:min7"))
    ]
    drawn = drawn_form(
        page, 900, sections=SECTIONS, chords=chords,
        singing=[{"start_s": 4.0, "stop_s": 5.5}],
        cue_points=[{"time_s": 3.0, "kind": "mix in"}, {"time_s": 6.0, "kind": "drop"}],
    )  # fmt: skip
    assert drawn["texts"][3:] == ["Am", "B♭", "F♯m7"]
    assert drawn["accents"] == [[400, 550]]
    assert drawn["marks"] == [300, 600]


def test_a_loop_covers_whole_bars_in_either_direction(page: Page) -> None:
    loop = {"startS": 1.0, "endS": 5.0}
    assert on_grid(page, "grid.snapped(1.7, 3.4)") == loop
    assert on_grid(page, "grid.snapped(3.4, 1.7)") == loop
    assert on_grid(page, "grid.snapped(1.7, 5.0)") == loop
    assert on_grid(page, "grid.snapped(8.8, 7.5)") == {"startS": 7.0, "endS": DURATION_S}


@pytest.mark.parametrize("analysis", [None, {"beats_s": [], "downbeats_s": []}])
def test_a_song_without_beats_steps_by_seconds(page: Page, analysis: Any) -> None:
    assert on_grid(page, "grid.hasBars", analysis) is False
    assert on_grid(page, "grid.place(3)", analysis) is None
    assert on_grid(page, "grid.nextBeat(3, 1)", analysis) == 4
    assert on_grid(page, "grid.nextBar(3, -1)", analysis) == 0
    assert on_grid(page, "grid.snapped(4, 2.5)", analysis) == {"startS": 2.5, "endS": 4}


def test_a_reached_limit_names_what_lifts_it(page: Page) -> None:
    quota = {"tier": "free", "job_type": "separate", "limit": 1, "period": "day"}
    text = words(
        page, code="quota_exceeded", quota={**quota, "until": "2026-05-05", "next_tier": "pro"}
    )
    assert text == (
        "The free tier includes 1 separation per day. "
        "To continue, wait until May 5, 00:00 UTC, or upgrade to the pro tier."
    )
    none = {**quota, "job_type": "mashup", "limit": 0, "until": "2026-06-01", "next_tier": "pro"}
    text = words(page, code="quota_exceeded", quota=none)
    assert text == "The free tier includes no mashups per day. Upgrade to the pro tier."


def test_messages_of_the_server_are_a_problem_and_a_remedy(page: Page) -> None:
    detail = "song.mp3: longer than 15 min; upload a shorter part"
    assert words(page, code="too_long", detail=detail) == (
        "song.mp3: longer than 15 min. Upload a shorter part."
    )
    detail = "stem: not of this user; choose another"
    assert words(page, code="conflict", detail=detail) == (
        "Stem: not of this user. Choose another."
    )
    assert words(page, code="internal_error", detail="Traceback") == (
        "The server failed. Try again. If it fails again, report the time to the operator."
    )
    assert words(page, code="rate_limited", detail="", retryAfterS=5).endswith(
        "Try again in 5 seconds."
    )
    assert words(page, code="new_code", detail="") == "This failed. Try again."


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("duration(215.4)", "3:35"),
        ("duration(3_727)", "1:02:07"),
        ("duration(null)", "\u2013"),
        ("position(7.39)", "0:07.3"),
        ("tempo(124.04)", "124\u00a0BPM"),
        ("keyName('Eb major')", "E♭ major"),
        ("loudness(-18.24)", "\u221218.2\u00a0LUFS"),
        ("fileSize(4_812_345)", "4.8 MB"),
    ],
)
def test_numbers_have_their_units(page: Page, call: str, text: str) -> None:
    assert page.evaluate(f"async () => (await import('/page/format.js')).{call}") == text
