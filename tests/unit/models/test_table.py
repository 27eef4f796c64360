"""Table of models for engineers and lawyers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mashup_worker.licenses import BUSINESS_USE, NO_STATEMENT
from mashup_worker.models.catalogue import catalogue
from mashup_worker.models.table import model_table

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_documentation_has_the_table_of_the_catalogue() -> None:
    assert model_table(catalogue().values()) in PAGE.read_text(encoding="utf-8"), (
        "put the output of `mashup models list --markdown` for an empty cache into docs/models.md"
    )


def test_a_row_has_everything_about_a_model() -> None:
    table = model_table(catalogue().values())
    rows = {row.split(" | ")[0].removeprefix("| "): row for row in table.splitlines()}
    for name, model in catalogue().items():
        row = rows[name]
        assert row.count(" | ") == table.splitlines()[0].count(" | ")
        assert f"{model.license} [" in row
        assert BUSINESS_USE[model.license.license_class] in row
        assert model.architecture
        assert model.architecture in row
        assert model.training_data in row
        assert f"{model.license.statement}" in table
        if model.sdr is not None:
            assert f"{model.sdr.value_db:.2f} dB, {model.sdr.test_set}" in row
        assert ("mashup models" in row) != model.bundled


def test_models_of_users_have_rows_too() -> None:
    added = replace(
        catalogue()["htdemucs"],
        name="mine",
        license=NO_STATEMENT,
        sources=(),
        sdr=None,
        architecture="",
        training_data="a | b",
    )
    row = model_table([added]).splitlines()[2]
    assert row.startswith(
        "| mine | drums, bass, other, vocals | not stated | not-stated (unknown) ["
    )
    assert "| no statement | a \\| b | none |" in row
    assert "added to this cache" in row
