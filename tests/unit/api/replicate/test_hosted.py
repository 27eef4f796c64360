"""Input and output of hosted models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mashup_worker.api.replicate.hosted import SERVED_MODELS, HostedInput
from mashup_worker.api.replicate.versions import VERSIONS, version_of_reference
from mashup_worker.errors import InvalidInput
from mashup_worker.models.catalogue import catalogue
from mashup_worker.queue.validation import read_input

RYAN, CJWBW = (version.input for version in VERSIONS)


def job_of(kind: type[HostedInput], default: str = "htdemucs", **given: Any) -> dict[str, Any]:
    """Return the job's input of a hosted model's input, which every worker accepts."""
    job = kind.model_validate(given).separation(default)
    assert read_input("separate", {"audio": "a", **job})[1] == ()
    return job


def test_all_models_of_the_catalogue_are_served() -> None:
    assert set(SERVED_MODELS) == catalogue().keys()
    for version in VERSIONS:
        for name in version.input.models("own"):
            job = job_of(version.input, "own", **{version.input.model_key: name})
            assert job["model"] in {*catalogue(), "own"}


def test_defaults_are_those_of_the_hosted_models() -> None:
    for kind in (RYAN, CJWBW):
        assert job_of(kind) == {"format": "mp3", "analyze": False, "bitrate_kbps": 320}
        assert kind.model_validate({}).notes() == ()


@pytest.mark.parametrize(
    ("kind", "given", "depth"),
    [
        (RYAN, {"output_format": "wav"}, 24),
        (RYAN, {"output_format": "wav", "wav_format": "int16"}, 16),
        (RYAN, {"output_format": "wav", "wav_format": "float32"}, 32),
        (RYAN, {"output_format": "flac"}, 24),
        (RYAN, {"output_format": "flac", "wav_format": "float32"}, 16),
        (CJWBW, {"output_format": "wav"}, 24),
        (CJWBW, {"output_format": "wav", "float32": True}, 32),
        (CJWBW, {"output_format": "flac", "float32": True}, 24),
    ],
)
def test_samples_have_the_depth_of_the_hosted_model(
    kind: type[HostedInput], given: dict[str, Any], depth: int
) -> None:
    assert job_of(kind, **given)["bit_depth"] == depth


def test_one_stem_comes_with_the_rest() -> None:
    links = {"drums": "https://a.test/d", "no_drums": "https://a.test/n"}
    for kind in (RYAN, CJWBW):
        assert job_of(kind, stem="drums")["stems"] == ["drums", "no_drums"]
    assert RYAN.model_validate({"stem": "drums"}).output(links) == links
    assert "stems" not in job_of(RYAN, stem="none")
    assert CJWBW.model_validate({"stem": "drums"}).output(links) == {
        "vocals": None,
        "bass": None,
        "drums": links["drums"],
        "guitar": None,
        "piano": None,
        "other": links["no_drums"],
    }
    other = {"other": "https://a.test/o", "no_other": "https://a.test/n"}
    assert CJWBW.model_validate({"stem": "other"}).output(other)["other"] == other["no_other"]


def test_all_stems_have_the_form_of_the_hosted_model() -> None:
    links = {kind: f"https://a.test/{kind}" for kind in ("drums", "bass", "other", "vocals")}
    assert RYAN.model_validate({}).output(links) == links
    assert CJWBW.model_validate({}).output(links) == {**links, "guitar": None, "piano": None}


def test_a_stem_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="htdemucs has no guitar"):
        job_of(RYAN, stem="guitar")
    assert job_of(RYAN, stem="guitar", model="htdemucs_6s")["stems"] == ["guitar", "no_guitar"]
    assert job_of(CJWBW, default="own", stem="guitar")["stems"] == ["guitar", "no_guitar"]


def test_an_unknown_model_is_refused_with_the_list() -> None:
    for kind in (RYAN, CJWBW):
        with pytest.raises(InvalidInput, match=f"{kind.model_key}: demucs: .*htdemucs_ft.*lite"):
            job_of(kind, **{kind.model_key: "demucs"})


@pytest.mark.parametrize(
    ("kind", "given", "option"),
    [
        (RYAN, {"model": "mdx_q"}, "model"),
        (CJWBW, {"model_name": "mdx_extra_q"}, "model_name"),
        (RYAN, {"shifts": 5}, "shifts"),
        (CJWBW, {"overlap": 0.1}, "overlap"),
        (RYAN, {"mp3_bitrate": 300}, "mp3_bitrate"),
        (RYAN, {"mp3_preset": 7}, "mp3_preset"),
        (RYAN, {"clip_mode": "none"}, "clip_mode"),
        (CJWBW, {"clip_mode": "clamp"}, "clip_mode"),
        (RYAN, {"split": False}, "split"),
        (RYAN, {"segment": 6}, "segment"),
        (RYAN, {"jobs": 2}, "jobs"),
    ],
)
def test_options_without_effect_are_noted(
    kind: type[HostedInput], given: dict[str, Any], option: str
) -> None:
    (note,) = kind.model_validate(given).notes()
    assert note.startswith(f"{option}: ")


def test_the_nearest_bitrate_of_mp3_is_used() -> None:
    for asked, used in {1: 32, 128: 128, 300: 320, 1_000: 320}.items():
        assert job_of(RYAN, mp3_bitrate=asked)["bitrate_kbps"] == used


@pytest.mark.parametrize(
    "given", [{"shifts": -1}, {"overlap": 1.0}, {"stem": "kazoo"}, {"output_format": "aac"}]
)
def test_values_outside_the_schema_are_refused(given: dict[str, Any]) -> None:
    for kind in (RYAN, CJWBW):
        with pytest.raises(ValidationError):
            kind.model_validate(given)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_describes_each_key(version: Any) -> None:
    schemas = version.openapi_schema("own")["components"]["schemas"]
    fields = schemas["Input"]["properties"]
    assert schemas["Input"]["required"] == ["audio"]
    assert [field["x-order"] for field in fields.values()] == list(range(len(fields)))
    names = {field.alias or name for name, field in version.input.model_fields.items()}
    assert fields.keys() == {"audio", *names}
    assert fields[version.input.model_key]["default"] == "own"
    assert all(field["type"] != "null" and "anyOf" not in field for field in fields.values())
    assert "none" in fields["stem"]["enum"] or version.input is CJWBW


def test_versions_are_found_by_id_and_name() -> None:
    for version in VERSIONS:
        for reference in (version.id, f"{version.model}:{version.id}", version.model):
            assert version_of_reference(reference) is version
    ryan, cjwbw = VERSIONS
    for reference in ("", "x", "0" * 64, "meta/demucs", f"{ryan.model}:{cjwbw.id}", "a/b:" * 90):
        with pytest.raises(InvalidInput, match=r"not served here; use one of .*ryan5453/demucs:"):
            version_of_reference(reference)
