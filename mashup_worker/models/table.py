"""Table of models for engineers and lawyers, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mashup_worker.licenses import License
    from mashup_worker.models.catalogue import Model

_HEADINGS = (
    *("model", "stems", "architecture", "license of the weights", "may a business use it?"),
    *("training data", "published SDR", "size", "how to get it"),
)


def model_table(models: Iterable[Model]) -> str:
    """Return a table with a row for each model, and a list of the statements on licenses."""
    models = list(models)
    numbers = {terms: n for n, terms in enumerate(dict.fromkeys(one.license for one in models), 1)}
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [_cells(model, numbers[model.license]) for model in models]
    table = "".join(f"| {' | '.join(map(_one_cell, row))} |\n" for row in rows)
    return f"{table}\n" + "".join(f"{n}. {_statement(terms)}\n" for terms, n in numbers.items())


def _cells(model: Model, number: int) -> tuple[str, ...]:
    terms = model.license
    return (
        model.name,
        ", ".join(model.stems),
        model.architecture or "not stated",
        f"{terms} [{number}]",
        terms.business_use,
        model.training_data or "not stated",
        _sdr(model),
        f"{model.size_bytes / 1e6:.0f} MB",
        _way(model),
    )


def _statement(terms: License) -> str:
    """Return who said what, where and when, and the remark."""
    addresses = (f"<{address}>" for address in terms.source.split())
    where = ", ".join(filter(None, (*addresses, terms.stated_on)))
    text = f"**{terms.id}**: {terms.statement}" + (f" ({where})" if where else "")
    return f"{text}. Note: {terms.note}." if terms.note else f"{text}."


def _sdr(model: Model) -> str:
    if model.sdr is None:
        return "none"
    return f"{model.sdr.value_db:.2f} dB, {model.sdr.test_set} ({model.sdr.source})"


def _way(model: Model) -> str:
    if model.bundled:
        return "part of a package that is installed"
    if model.sources or model.recipe is not None:
        return f"`mashup models pull {model.name}`"
    if model.by_hand:
        return f"download <{model.by_hand}>, then `mashup models add FILE --name {model.name}`"
    return "added to this cache by `mashup models add`"


def _one_cell(text: str) -> str:
    return text.replace("|", "\\|")
