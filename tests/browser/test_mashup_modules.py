"""Roles, inputs, arrangements, filters and lists, in the modules that need no server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker.queue.job_inputs import MashupInput

if TYPE_CHECKING:
    from playwright.sync_api import Page

NIGHT, LIGHT, DOWN = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "123")


def stem_id(song: str, index: int) -> str:
    """Return the id of a stem."""
    return f"{song[:-1]}{index + 1}"


def chosen(song: str, title: str, *kinds: str, tempo_bpm: float = 120.0) -> dict[str, Any]:
    """Return a song with the stems of some kinds, as the page keeps what is chosen."""
    stems = [{"id": stem_id(song, index), "kind": kind} for index, kind in enumerate(kinds)]
    facts = {"tempo_bpm": tempo_bpm, "key": "A minor", "camelot": "8A", "duration_s": 60.0}
    return {"type": "song", "id": song, "song": song, "title": title, "stems": stems, **facts}


def input_of(page: Page, items: list[dict[str, Any]], **settings: object) -> dict[str, Any]:
    """Return the input of the job for what is chosen."""
    script = """async ([items, settings]) => {
        const { groupsOf } = await import("/page/mashup/groups.js");
        const { DEFAULTS, inputOf } = await import("/page/mashup/input.js");
        return inputOf(groupsOf(items), { ...DEFAULTS, ...settings });
    }"""
    document: dict[str, Any] = page.evaluate(script, [items, settings])
    MashupInput.model_validate_json(json.dumps(document))  # else ValidationError
    return document


def parts(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return song and kind of each stem of an input."""
    return [(stem["song"], stem["kind"]) for stem in document["stems"]]


FULL = ("vocals", "drums", "bass")


def test_one_song_sings_over_the_instruments_of_the_others(page: Page) -> None:
    items = [chosen(NIGHT, "Night", *FULL), chosen(LIGHT, "Light", *FULL)]
    document = input_of(page, items)
    assert parts(document) == [("Light", "drums"), ("Light", "bass"), ("Night", "vocals")]
    other = input_of(page, items, singer=LIGHT)
    assert parts(other) == [("Night", "drums"), ("Night", "bass"), ("Light", "vocals")]


def test_the_base_comes_first_since_it_sets_the_tempo(page: Page) -> None:
    items = [chosen(NIGHT, "Night", "vocals"), chosen(LIGHT, "Light", "drums")]
    items.append(chosen(DOWN, "Down", "bass"))
    document = input_of(page, items, base=DOWN)
    assert parts(document) == [("Down", "bass"), ("Light", "drums"), ("Night", "vocals")]


def test_a_song_with_vocals_only_sings_by_default(page: Page) -> None:
    items = [chosen(NIGHT, "Night", *FULL), chosen(LIGHT, "Light", "vocals")]
    assert parts(input_of(page, items))[-1] == ("Light", "vocals")


def test_a_sequence_plays_all_stems_and_the_base_first(page: Page) -> None:
    items = [chosen(NIGHT, "Night", *FULL), chosen(LIGHT, "Light", *FULL)]
    for form in ("sequence", "medley"):
        document = input_of(page, items, form=form, base=LIGHT)
        assert parts(document) == [(song, kind) for song in ("Light", "Night") for kind in FULL]
        assert document["config"]["form"] == form


def test_forms_are_those_that_the_songs_allow(page: Page) -> None:
    items = {
        "one song": [chosen(NIGHT, "Night", *FULL)],
        "no vocals": [chosen(NIGHT, "Night", "drums"), chosen(LIGHT, "Light", "bass")],
        "one voice": [chosen(NIGHT, "Night", "vocals"), chosen(LIGHT, "Light", "bass")],
        "two voices": [chosen(NIGHT, "Night", *FULL), chosen(LIGHT, "Light", *FULL)],
        "voices only": [chosen(NIGHT, "Night", "vocals"), chosen(LIGHT, "Light", "vocals")],
    }
    script = """async (items) => {
        const { formsOf, groupsOf } = await import("/page/mashup/groups.js");
        return Object.fromEntries(Object.entries(items).map(
            ([name, some]) => [name, formsOf(groupsOf(some)).join()]));
    }"""
    assert page.evaluate(script, items) == {
        "one song": "sequence",
        "no vocals": "sequence,medley",
        "one voice": "layer,sequence,medley",
        "two voices": "layer,sequence,medley",
        "voices only": "sequence,medley",
    }


def test_stems_that_are_chosen_twice_are_sent_once(page: Page) -> None:
    song = chosen(NIGHT, "Night", *FULL)
    stem = {**song, "type": "stem", "id": stem_id(NIGHT, 1), "stems": song["stems"][1:2]}
    assert parts(input_of(page, [stem, song])) == [
        ("Night", "drums"),
        ("Night", "vocals"),
        ("Night", "bass"),
    ]


def test_songs_of_one_title_stay_two_songs(page: Page) -> None:
    items = [chosen(NIGHT, "Night", "vocals"), chosen(LIGHT, "Night", "drums")]
    assert {song for song, _ in parts(input_of(page, items))} == {"Night", "Night (2)"}
    long = [chosen(song, "N" * 300, "vocals", "drums") for song in (NIGHT, LIGHT)]
    assert len({song for song, _ in parts(input_of(page, long))}) == 2


def test_only_given_settings_are_sent(page: Page) -> None:
    items = [chosen(NIGHT, "Night", *FULL)]
    plain = input_of(page, items)
    assert plain["config"] == {"vibe": "club", "intensity": 0.5, "seed": 0}
    assert plain["format"] == "flac"
    given = {"tempo_bpm": "124.5", "key": "A minor", "length_s": "90", "loudness_lufs": "-9"}
    document = input_of(page, items, **given, transition="cut", seed="7", format="mp3")
    assert document["config"] == {
        "vibe": "club",
        "intensity": 0.5,
        "transition": "cut",
        "key": "A minor",
        "tempo_bpm": 124.5,
        "length_s": 90,
        "loudness_lufs": -9,
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        ({"tempo_bpm": "30", "length_s": "4", "loudness_lufs": "-36", "seed": "0"}, []),
        ({"tempo_bpm": "300", "length_s": "1200", "loudness_lufs": "-5"}, []),
        ({"tempo_bpm": "29.9"}, ["tempo_bpm"]),
        ({"length_s": "1201"}, ["length_s"]),
        ({"loudness_lufs": "-4.9"}, ["loudness_lufs"]),
        ({"seed": "1.5"}, ["seed"]),
        ({"seed": ""}, ["seed"]),
        ({"seed": "-1"}, ["seed"]),
    ],
)
def test_numbers_outside_the_contract_are_faults(
    page: Page, settings: dict[str, str], faults: list[str]
) -> None:
    script = """async (settings) => {
        const { DEFAULTS, faultsOf } = await import("/page/mashup/input.js");
        return faultsOf({ ...DEFAULTS, ...settings });
    }"""
    assert page.evaluate(script, settings) == faults


def clip(source: str, at_bar: float, bars: float, **more: object) -> dict[str, Any]:
    """Return a clip of a plan."""
    plain = {"from_bar": 0, "source_bars": bars, "stretch_ratio": 1, "semitones": 0, "gain_db": 0}
    fades = {"fade_in_bars": 0, "fade_out_bars": 0, "automation": []}
    return {"source": source, "at_bar": at_bar, "bars": bars, **plain, **fades, **more}


def plan(form: str, *clips: dict[str, Any]) -> dict[str, Any]:
    """Return a plan of 16 bars at 120 BPM."""
    names = dict.fromkeys(one["source"] for one in clips)
    sources = {
        name: {"song": name.split("/")[0], "kind": name.split("/")[1], "tempo_bpm": 120.0}
        for name in names
    }
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 16}
    return {
        "form": form,
        "transition": "bass_swap",
        "grid": grid,
        "sources": sources,
        "clips": list(clips),
        "sections": [{"name": "intro", "at_bar": 0, "bars": 4}],
    }


def arranged(page: Page, function: str, document: dict[str, Any]) -> Any:
    """Return what a function of the arrangement makes of a plan."""
    script = f"""async (plan) => {{
        const arrangement = await import("/page/mashup/arrangement.js");
        return arrangement.{function}(plan);
    }}"""
    return page.evaluate(script, document)


SEQUENCE = plan(
    "sequence",
    clip("Night/drums", 0, 10, fade_out_bars=2),
    clip("Night/vocals", 0, 8),
    clip("Light/drums", 8, 8, stretch_ratio=0.8, semitones=-1),
)


def test_rows_are_songs_as_they_enter_with_vocals_first(page: Page) -> None:
    rows = arranged(page, "rowsOf", SEQUENCE)
    assert [row["name"] for row in rows] == ["Night/vocals", "Night/drums", "Light/drums"]
    (box,) = rows[2]["clips"]
    assert (box["left"], box["width"]) == (0.5, 0.5)
    layer = plan("layer", clip("Night/drums", 0, 16), clip("Light/vocals", 4, 8))
    rows = arranged(page, "rowsOf", layer)
    assert [row["name"] for row in rows] == ["Light/vocals", "Night/drums"]


def test_clips_are_described_in_words(page: Page) -> None:
    rows = arranged(page, "rowsOf", SEQUENCE)
    assert rows[1]["clips"][0]["words"] == (
        "Drums of Night, bars 1 to 10; from bar 1 of the song; at its own tempo; not transposed; "
        "fades out for 2 bars"
    )
    assert rows[2]["clips"][0]["words"] == (
        "Drums of Light, bars 9 to 16; from bar 1 of the song; 25.0 % faster; 1 semitone down"
    )


def test_transitions_are_where_instruments_change_the_song(page: Page) -> None:
    (change,) = arranged(page, "transitionsOf", SEQUENCE)
    assert (change["left"], change["width"]) == (0.5, 0.125)
    assert change["words"] == "Bass swap from Night to Light, bars 9 to 10"
    cut = plan("sequence", clip("Night/drums", 0, 8), clip("Light/drums", 8, 8))
    (change,) = arranged(page, "transitionsOf", cut)
    assert change["words"] == "Bass swap from Night to Light, at bar 9"
    layer = plan("layer", clip("Night/drums", 0, 16), clip("Light/vocals", 4, 8))
    assert arranged(page, "transitionsOf", layer) == []


def test_changes_of_songs_are_speed_and_transposition(page: Page) -> None:
    assert arranged(page, "changesOf", SEQUENCE) == [
        {
            "song": "Night",
            "kinds": ["vocals", "drums"],
            "tempo_bpm": 120,
            "speed": 0,
            "semitones": 0,
        },
        {"song": "Light", "kinds": ["drums"], "tempo_bpm": 120, "speed": 0.25, "semitones": -1},
    ]


def test_the_louder_side_is_played_as_loud_as_the_other(page: Page) -> None:
    script = """async ([master, before]) => {
        const { matchedGains } = await import("/page/mashup/loudness.js");
        const unmastered = before === null ? null : { loudness_lufs: before };
        return matchedGains({ audio: { loudness_lufs: master }, unmastered });
    }"""
    assert page.evaluate(script, [-10.0, -16.0]) == {"master": pytest.approx(10**-0.3), "before": 1}
    assert page.evaluate(script, [-20.0, -14.0]) == {"master": 1, "before": pytest.approx(10**-0.3)}
    assert page.evaluate(script, [-10.0, None]) == {"master": 1, "before": 1}


def test_filters_are_the_query_of_the_address(page: Page) -> None:
    script = """async (query) => {
        const { countFilters, filtersIn, parametersOf, queryOf } =
            await import("/page/stems/filters.js");
        const filters = filtersIn(query);
        const given = Object.entries(parametersOf(filters)).filter(([, value]) => value);
        return [queryOf(filters), Object.fromEntries(given), countFilters(filters)];
    }"""
    query = "?kind=drums&camelot=8A&neighbors=true&owner=mine&unknown=1"
    address, parameters, count = page.evaluate(script, query)
    assert address == "?kind=drums&camelot=8A&neighbors=true&owner=mine"
    expected = {"kind": "drums", "camelot": "8A", "neighbors": "true", "mine": "true"}
    assert (parameters, count) == (expected, 4)
    # The API refuses neighbors without a key.
    assert page.evaluate(script, "?neighbors=true")[1] == {}
    assert page.evaluate(script, "") == ["", {}, 0]


def jobs(*ids: int, status: str = "queued") -> list[dict[str, Any]]:
    """Return jobs whose higher ids are newer."""
    return [{"id": one, "created_at": f"2026-01-01T{one:02}", "status": status} for one in ids]


def merged(page: Page, before: Any, after: Any, *, held: bool = False) -> Any:
    """Return ids of the shown and the new jobs after a refresh, with the cursor."""
    script = """async ([before, page, isHeld]) => {
        const { merged } = await import("/page/queue/merging.js");
        const { items, fresh, next } = merged(before, page, isHeld);
        const shown = items.map(({ id, status }) => [id, status]);
        return { items: shown, fresh: fresh.map(({ id }) => id), next };
    }"""
    return page.evaluate(script, [before, after, held])


def test_a_refresh_changes_jobs_in_place_and_adds_new_ones_above(page: Page) -> None:
    before = {"items": jobs(3, 2, 1), "next": "c", "fresh": []}
    after = {"items": jobs(4, 3, 2, status="completed"), "next": "d"}
    found = merged(page, before, after)
    shown = [[4, "completed"], [3, "completed"], [2, "completed"], [1, "queued"]]
    assert found == {"items": shown, "fresh": [], "next": "c"}


def test_new_jobs_are_kept_back_while_the_user_works_with_the_list(page: Page) -> None:
    before = {"items": jobs(3, 2), "next": None, "fresh": []}
    found = merged(page, before, {"items": jobs(4, 3, 2), "next": None}, held=True)
    assert found == {"items": [[3, "queued"], [2, "queued"]], "fresh": [4], "next": None}


def test_jobs_that_match_no_more_leave_the_list(page: Page) -> None:
    before = {"items": jobs(5, 4, 3, 1), "next": "c", "fresh": []}
    found = merged(page, before, {"items": jobs(5, 3), "next": "d"})
    assert [job for job, _ in found["items"]] == [5, 3, 1]


def test_a_list_that_missed_jobs_starts_again(page: Page) -> None:
    before = {"items": jobs(2, 1), "next": "c", "fresh": []}
    found = merged(page, before, {"items": jobs(9, 8), "next": "d"})
    assert found == {"items": [[9, "queued"], [8, "queued"]], "fresh": [], "next": "d"}
