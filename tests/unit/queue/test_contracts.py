"""Contracts of jobs."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.queue.contracts import CONTRACTS
from mashup_worker.queue.job_inputs import (
    AnalyzeInput,
    MashupConfig,
    MashupInput,
    SeparateInput,
    StemInput,
)
from mashup_worker.queue.validation import read_input, schemas
from mashup_worker.vocabulary import JOB_TYPES, STEM_KINDS, STEM_SYNONYMS, TRANSITIONS

STEM = {"audio": "a", "kind": "vocals"}


def test_missing_values_have_defaults() -> None:
    request, warnings = read_input("separate", {"audio": "song.mp3"})
    assert request == SeparateInput(audio="song.mp3")
    assert (request.format, request.analyze, request.model) == ("flac", True, None)
    assert warnings == ()


def test_predictions_and_webhooks_give_no_warnings() -> None:
    prediction = {"version": "0" * 64, "input": {"audio": "a", "shifts": 2}}
    webhook = {"webhook": "https://a.test/x", "webhook_events_filter": ["start", "completed"]}
    request, warnings = read_input("separate", {"audio": "a", "prediction": prediction, **webhook})
    assert isinstance(request, SeparateInput)
    assert request.prediction is not None
    assert request.prediction.input == prediction["input"]
    assert request.webhook_events_filter == ("start", "completed")
    assert warnings == ()


def test_ids_and_lists_come_from_json() -> None:
    mashup, stem = uuid4(), uuid4()
    document = {
        "stems": [{"stem_id": str(stem), "kind": "drums"}, STEM],
        "config": {"form": "medley", "tempo_bpm": 120, "key": "F# minor"},
        "mashup_id": str(mashup),
    }
    request, _ = read_input("mashup", document)
    assert isinstance(request, MashupInput)
    assert (request.mashup_id, request.stems[0].stem_id) == (mashup, stem)
    assert request.config == MashupConfig(form="medley", tempo_bpm=120.0, key="F# minor")


@pytest.mark.parametrize(
    ("job_type", "document", "named"),
    [
        ("dance", {}, "job_type 'dance'"),
        ("separate", [], "input_data"),
        ("separate", None, "input_data"),
        ("separate", {}, "input_data.audio"),
        ("separate", {"audio": 3}, "input_data.audio"),
        ("separate", {"audio": ""}, "input_data.audio"),
        ("separate", {"audio": "a", "stems": []}, "input_data.stems"),
        ("separate", {"audio": "a", "stems": ["kazoo"]}, "input_data.stems.0"),
        ("separate", {"audio": "a", "format": "aac"}, "input_data.format"),
        ("separate", {"audio": "a", "bit_depth": 20}, "input_data.bit_depth"),
        ("separate", {"audio": "a", "webhook": "ftp://a.test"}, "input_data.webhook"),
        ("master", {"audio": "a", "webhook_events_filter": ["end"]}, "webhook_events_filter.0"),
        ("separate", {"audio": "a", "prediction": {"version": "1"}}, "input_data.prediction"),
        ("separate", {"audio": "a", "analyze": "no"}, "input_data.analyze"),
        ("separate", {"audio": "a", "mashup_id": "7"}, "input_data.mashup_id"),
        ("separate", {"audio": "a", "mashup_id": f"urn:uuid:{uuid4()}"}, "input_data.mashup_id"),
        ("separate", {"audio": "a", "model": "../../x"}, "input_data.model"),
        ("analyze", {}, "give either audio or stems"),
        ("analyze", {"audio": "a", "stems": {"vocals": "b"}}, "give either audio or stems"),
        ("mashup", {"stems": []}, "input_data.stems"),
        ("mashup", {"stems": [{"kind": "vocals"}]}, "input_data.stems.0"),
        ("mashup", {"stems": [{**STEM, "stem_id": str(uuid4())}]}, "input_data.stems.0"),
        ("mashup", {"stems": [STEM] * 33}, "input_data.stems"),
        ("mashup", {"stems": [STEM], "config": {"vibe": "polka"}}, "input_data.config.vibe"),
        ("mashup", {"stems": [STEM], "config": {"intensity": 2}}, "input_data.config.intensity"),
        ("mashup", {"stems": [STEM], "config": {"key": "H minor"}}, "input_data.config.key"),
        ("master", {"audio": "a", "loudness_lufs": 3}, "input_data.loudness_lufs"),
        ("master", {"audio": "a", "true_peak_dbtp": "-1"}, "input_data.true_peak_dbtp"),
        ("master", {"audio": "a", "loudness_lufs": float("nan")}, "input_data"),
    ],
)
def test_an_invalid_value_is_named(job_type: str, document: Any, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_input(job_type, document)
    assert named in caught.value.message
    assert "\n" not in caught.value.message


def test_unknown_keys_at_any_depth_give_warnings() -> None:
    document = {"stems": [{**STEM, "color": 1}], "config": {"mood": 2}, "tempo": 3}
    _, warnings = read_input("mashup", document)
    assert [warning.partition(":")[0] for warning in warnings] == [
        "input_data.stems.0.color",
        "input_data.config.mood",
        "input_data.tempo",
    ]


@pytest.mark.parametrize("kind", [*STEM_KINDS, *(f"no_{kind}" for kind in STEM_KINDS), "mix"])
def test_every_kind_of_stem_is_accepted(kind: str) -> None:
    read_input("mashup", {"stems": [{"audio": "a", "kind": kind}]})


@pytest.mark.parametrize("name", STEM_SYNONYMS)
def test_synonyms_of_kinds_are_accepted(name: str) -> None:
    separate, _ = read_input("separate", {"audio": "a", "stems": ["vocals", name]})
    assert isinstance(separate, SeparateInput)
    assert separate.stems == ("vocals", "no_vocals")
    mashup, _ = read_input("mashup", {"stems": [{"audio": "a", "kind": name}]})
    assert isinstance(mashup, MashupInput)
    assert mashup.stems[0].kind == "no_vocals"
    analyze, _ = read_input("analyze", {"stems": {"vocals": "a", name: "b"}})
    assert isinstance(analyze, AnalyzeInput)
    assert analyze.stems == {"vocals": "a", "no_vocals": "b"}
    with pytest.raises(InvalidInput, match=r"input_data\.stems: no_vocals is named twice"):
        read_input("analyze", {"stems": {"no_vocals": "a", name: "b"}})
    assert re.search(StemInput.model_json_schema()["properties"]["kind"]["pattern"], name)


@pytest.mark.parametrize(
    "config", [*({"vibe": one} for one in VIBES), *({"transition": one} for one in TRANSITIONS)]
)
def test_every_vibe_and_transition_is_accepted(config: dict[str, str]) -> None:
    request, _ = read_input("mashup", {"stems": [STEM], "config": config})
    assert isinstance(request, MashupInput)
    assert config.items() <= request.config.model_dump().items()


def test_every_contract_has_a_schema() -> None:
    found = schemas()
    assert list(found) == list(CONTRACTS) == list(JOB_TYPES)
    for schema in found.values():
        for side in ("input_data", "output_data"):
            assert schema[side]["type"] == "object"


def test_the_schema_lists_the_vibes() -> None:
    config = schemas()["mashup"]["input_data"]["$defs"]["MashupConfig"]
    assert config["properties"]["vibe"]["enum"] == list(VIBES)
