"""`MASHUP_ALLOWED_LICENSES`."""

from __future__ import annotations

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import ALL_LICENSES
from mashup_worker.settings import load_service_settings


def test_everything_is_allowed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASHUP_ALLOWED_LICENSES", raising=False)
    assert load_service_settings().worker.license_rule == ALL_LICENSES


def test_classes_and_ids_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHUP_MODEL", "lite")
    monkeypatch.setenv("MASHUP_ALLOWED_LICENSES", "Permissive, cc-by-nc-4.0,Contract 14")
    rule = load_service_settings().worker.license_rule
    assert rule.allowed == ("permissive", "CC-BY-NC-4.0", "Contract 14")


@pytest.mark.parametrize("model", ["auto", "lite", "of-the-operator"])
def test_the_default_model_must_not_contradict_the_rule(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("MASHUP_ALLOWED_LICENSES", "permissive")
    monkeypatch.setenv("MASHUP_MODEL", model)
    assert load_service_settings().worker.model == model
    monkeypatch.delenv("MASHUP_MODEL")
    with pytest.raises(InvalidInput) as refused:
        load_service_settings()
    assert refused.value.message == (
        "MASHUP_ALLOWED_LICENSES: htdemucs, the model of jobs that name none, is scientific-only "
        "(restricted), and allowed is only permissive; set MASHUP_MODEL to auto or to an allowed "
        "model"
    )


@pytest.mark.parametrize("terms", [",", "MIT,", "x" * 101])
def test_other_texts_are_refused(monkeypatch: pytest.MonkeyPatch, terms: str) -> None:
    monkeypatch.setenv("MASHUP_MODEL", "auto")
    monkeypatch.setenv("MASHUP_ALLOWED_LICENSES", terms)
    with pytest.raises(InvalidInput, match=r"^MASHUP_ALLOWED_LICENSES: license .* not a name"):
        load_service_settings()
