"""Licenses of weights, and rules that allow some of them."""

from __future__ import annotations

import re

import pytest

from mashup_worker.errors import InvalidInput, ModelNotAllowed
from mashup_worker.licenses import (
    ALL_LICENSES,
    BUSINESS_USE,
    CATALOGUE_LICENSES,
    DEMUCS_LICENSE,
    SCNET_LICENSE,
    SPLEETER_LICENSE,
    LicenseRule,
    check_known_model,
    combined,
    license_as_stated,
)
from mashup_worker.models.catalogue import catalogue


def test_every_model_of_the_catalogue_has_the_license_of_its_name() -> None:
    assert {name: model.license for name, model in catalogue().items()} == {
        name: CATALOGUE_LICENSES[name] for name in catalogue()
    }


@pytest.mark.parametrize("name", CATALOGUE_LICENSES)
def test_every_statement_names_its_author_and_place(name: str) -> None:
    terms = CATALOGUE_LICENSES[name]
    assert len(terms.statement) > 10
    assert terms.source.startswith("https://")
    assert re.fullmatch(r"|20\d\d(-\d\d(-\d\d)?)?", terms.stated_on)
    assert terms.license_class != "unknown"


def test_the_weights_of_demucs_are_restricted_and_those_of_spleeter_are_not() -> None:
    assert (DEMUCS_LICENSE.id, DEMUCS_LICENSE.license_class) == ("scientific-only", "restricted")
    assert DEMUCS_LICENSE.business_use == "ask the author"
    assert (SPLEETER_LICENSE.id, SPLEETER_LICENSE.license_class) == ("MIT", "permissive")
    assert SPLEETER_LICENSE.business_use == "yes"
    assert SPLEETER_LICENSE.as_dict()["license_class"] == "permissive"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mit", ("MIT", "permissive")),
        (" Apache-2.0 ", ("Apache-2.0", "permissive")),
        ("cc-by-nc-4.0", ("CC-BY-NC-4.0", "restricted")),
        ("Contract 14 of 2026", ("Contract 14 of 2026", "unknown")),
        (None, ("not-stated", "unknown")),
    ],
)
def test_users_state_licenses_in_any_spelling(text: str | None, expected: tuple[str, str]) -> None:
    terms = license_as_stated(text, "https://example.com")
    assert (terms.id, terms.license_class) == expected
    assert terms.source == "https://example.com"
    assert "when added" in terms.statement


@pytest.mark.parametrize("text", ["", "  ", "MIT, Apache-2.0", "a\nb", "x" * 101])
def test_texts_that_name_no_license_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="SPDX"):
        license_as_stated(text)


def test_without_a_term_everything_is_allowed() -> None:
    assert ALL_LICENSES.allows(license_as_stated(None))
    assert str(ALL_LICENSES) == "all"


@pytest.mark.parametrize(
    ("terms", "allowed"),
    [
        (["permissive"], {"MIT"}),
        (["PERMISSIVE"], {"MIT"}),
        (["mit"], {"MIT"}),
        (["apache-2.0"], set()),
        (["scientific-only"], {"scientific-only"}),
        (["permissive,unknown"], {"MIT", "not-stated"}),
        (["restricted", "mit"], {"MIT", "scientific-only"}),
        (list(BUSINESS_USE), {"MIT", "scientific-only", "not-stated"}),
    ],
)
def test_rules_allow_classes_and_ids(terms: list[str], allowed: set[str]) -> None:
    rule = LicenseRule.of(terms)
    known = (DEMUCS_LICENSE, SPLEETER_LICENSE, license_as_stated(None))
    assert {one.id for one in known if rule.allows(one)} == allowed


@pytest.mark.parametrize("terms", [[""], ["mit,"], ["a\tb"]])
def test_rules_of_no_names_are_refused(terms: list[str]) -> None:
    with pytest.raises(InvalidInput):
        LicenseRule.of(terms)


def test_the_strictest_license_of_several_networks_holds() -> None:
    both = combined([SPLEETER_LICENSE, DEMUCS_LICENSE, SPLEETER_LICENSE])
    assert (both.id, both.license_class) == ("MIT AND scientific-only", "restricted")
    assert combined([SPLEETER_LICENSE, license_as_stated(None)]).license_class == "unknown"
    assert combined([SPLEETER_LICENSE, SPLEETER_LICENSE]) == SPLEETER_LICENSE
    assert combined([both, DEMUCS_LICENSE]).id == both.id
    assert combined([SPLEETER_LICENSE, SCNET_LICENSE]).id == "MIT"
    assert not LicenseRule.of(["MIT"]).allows(both)
    assert LicenseRule.of(["MIT", "scientific-only"]).allows(both)
    assert LicenseRule.of(["permissive,restricted"]).allows(both)


def test_known_models_are_checked_by_name() -> None:
    rule = LicenseRule.of(["permissive"])
    with pytest.raises(ModelNotAllowed, match=r"^htdemucs: .*scientific-only.*; use one of .*lite"):
        check_known_model("htdemucs", rule)
    with pytest.raises(ModelNotAllowed, match="no known model is allowed"):
        check_known_model("lite", LicenseRule.of(["ISC"]))
    for name in ("lite", "a model of the operator", None):
        check_known_model(name, rule)
    check_known_model("htdemucs", ALL_LICENSES)
