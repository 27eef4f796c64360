"""`mashup models`: list models, and fetch, add, verify and remove their weights."""

from __future__ import annotations

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import fail, settings_or_fail, usage_errors
from mashup_worker.commands.shared.options import AsJson, License
from mashup_worker.commands.shared.output import failure_document
from mashup_worker.commands.shared.progress import progress_bar
from mashup_worker.errors import EXIT_FAILED, MashupError, ModelUnavailable, StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mashup_worker.models.catalogue import Model
    from mashup_worker.models.store import WeightStore

app = typer.Typer(
    no_args_is_help=True, help="List, fetch, add, verify and remove separation models."
)

Names = Annotated[list[str], typer.Argument(help="Models, as `mashup models list` names them.")]
_COLUMNS = ("model", "stems", "parameters", "size", "SDR", "cached", "license")


@app.command("list")
def list_models(
    license_: License = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a table in Markdown, with all details.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List models with stems, size, quality and license."""
    from mashup_worker.commands.shared.model_choice import license_rule
    from mashup_worker.models.store import WeightStore
    from mashup_worker.models.table import model_table

    store = WeightStore(settings_or_fail())
    with usage_errors():
        rule = license_rule(license_)
    models = [model for model in store.models().values() if rule.allows(model.license)]
    rows = [_row(model, store.is_there(model.name)) for model in models]
    if as_markdown:
        typer.echo(model_table(models), nl=False)
    elif as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        typer.echo("\t".join(_COLUMNS))
        for row in rows:
            typer.echo("\t".join(_plain(row)))


@app.command()
def pull(names: Names, as_json: AsJson = False) -> None:
    """Fetch weights into the cache and verify their SHA-256."""

    def get(model: Model, store: WeightStore) -> dict[str, Any]:
        if model.bundled:
            return {"path": str(_bundled_folder()), "note": "part of a package"}
        with progress_bar(1, True, model.name, "bytes") as bar:
            return {"path": str(store.pull(model.name, partial(bar.begin, None)))}

    _each(names, as_json, get)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models. [all in the cache]")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the SHA-256 of weights."""

    def compare(model: Model, store: WeightStore) -> dict[str, Any]:
        if model.bundled:
            return {"path": str(_bundled_folder()), "sha256": _verify_bundled()}
        digests = store.verify(model.name)
        return {"path": str(store.path(model.name)), "sha256": digests}

    if not names:
        from mashup_worker.models.store import WeightStore

        store = WeightStore(settings_or_fail())
        names = [name for name in store.names() if store.has(name)]
        if not names:
            typer.echo("no models in the cache", err=True)
    _each(names, as_json, compare)


@app.command()
def path(names: Names, as_json: AsJson = False) -> None:
    """Print the folder of a model's weights."""

    def locate(model: Model, store: WeightStore) -> dict[str, Any]:
        return {"path": str(_bundled_folder() if model.bundled else store.path(model.name))}

    _each(names, as_json, locate)


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(help="Checkpoint: .ckpt, .pt, .th or .safetensors; or a recipe: .yaml."),
    ],
    config: Annotated[
        Path | None, typer.Option(help="YAML of its trainer; checkpoints of Demucs need none.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model. [that of the file]")] = None,
    license: Annotated[  # noqa: A002 - the name of the option
        str | None, typer.Option(help="License of the weights: an SPDX id, or a short text.")
    ] = None,
    source: Annotated[str, typer.Option(help="Address that the file is from.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a checkpoint, converted to safetensors, or a recipe to the cache as a model."""
    from mashup_worker.models.checkpoints.adding import Addition, add_checkpoint
    from mashup_worker.models.store import WeightStore

    store = WeightStore(settings_or_fail())
    addition = Addition(file=file, config=config, name=name, license=license, source=source)
    with usage_errors():
        try:
            model = add_checkpoint(addition, store)
        except (ModelUnavailable, StorageFailed) as error:
            if as_json:
                typer.echo(json.dumps({"name": addition.model_name, **failure_document(error)}))
            fail(error.message, error.exit_code)
    folder = str(store.path(model.name))
    if as_json:
        typer.echo(json.dumps({**_row(model, True), "path": folder}))
    else:
        typer.echo(f"{model.name}\t{','.join(model.stems)}\t{folder}")


@app.command()
def remove(names: Names, as_json: AsJson = False) -> None:
    """Remove models from the cache."""

    def delete(model: Model, store: WeightStore) -> dict[str, Any]:
        if model.bundled:
            raise ModelUnavailable(f"{model.name}: part of a package, and not in the cache")
        folder = str(store.folder / model.name)
        store.remove(model.name)
        return {"path": folder, "note": "removed"}

    _each(names, as_json, delete)


def _each(
    names: Sequence[str], as_json: bool, work: Callable[[Model, WeightStore], dict[str, Any]]
) -> None:
    """Do the work for each model; report failures and continue."""
    from mashup_worker.models.store import WeightStore

    store = WeightStore(settings_or_fail())
    with usage_errors():
        models = [store.find(name) for name in dict.fromkeys(names)]
    failures: list[MashupError] = []
    for model in models:
        try:
            result = work(model, store)
        except MashupError as error:
            failures.append(error)
            typer.echo(f"mashup: {error.message}", err=True)
            result = failure_document(error)
        if as_json:
            typer.echo(json.dumps({"name": model.name, **result}))
        elif "path" in result:
            note = f"\t{result['note']}" if "note" in result else ""
            typer.echo(f"{result['path']}{note}")
    if failures:
        raise typer.Exit(failures[0].exit_code if len(failures) == len(models) else EXIT_FAILED)


def _bundled_folder() -> Path:
    from mashup_worker.models.lite.weights import CHECKPOINTS, package_folder

    first, _ = next(iter(CHECKPOINTS.values()))
    return (package_folder() / first).parent


def _verify_bundled() -> dict[str, str]:
    from mashup_worker.models.digests import check_sha256
    from mashup_worker.models.lite.weights import CHECKPOINTS, package_folder

    for name, sha256 in CHECKPOINTS.values():
        check_sha256(package_folder() / name, sha256)
    return {name.rpartition("/")[2]: sha256 for name, sha256 in CHECKPOINTS.values()}


def _row(model: Model, cached: bool) -> dict[str, Any]:
    return {
        "name": model.name,
        "purpose": model.purpose,
        "stems": model.stems,
        "members": model.members,
        "parameters": model.parameters,
        "size_bytes": model.size_bytes,
        "sdr": dataclasses.asdict(model.sdr) if model.sdr else None,
        "license": model.license.as_dict(),
        "business_use": model.license.business_use,
        "architecture": model.architecture,
        "training_data": model.training_data,
        "preview": model.preview,
        "cached": cached,
    }


def _plain(row: dict[str, Any]) -> list[str]:
    """Return the cells of a row, in the order of `_COLUMNS`."""
    sdr = row["sdr"]
    return [
        row["name"] + (" (preview)" if row["preview"] else ""),
        ",".join(row["stems"]),
        f"{row['parameters'] / 1e6:.0f} M",
        f"{row['size_bytes'] / 1e6:.0f} MB",
        f"{sdr['value_db']:.2f} dB, {sdr['test_set']}, {sdr['source']}"
        if sdr
        else "none published",
        "cached" if row["cached"] else "-",
        _license_cell(row["license"]),
    ]


def _license_cell(terms: dict[str, str]) -> str:
    said = ", ".join(filter(None, (terms["source"], terms["stated_on"])))
    text = f"{terms['id']} ({terms['license_class']}): {terms['statement']}"
    return f"{text} ({said})" if said else text


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print a table, with long texts as notes below it, so that it fits into 80 columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    notes: dict[str, int] = {}

    def note(text: str) -> str:
        return f" ({notes.setdefault(text, len(notes) + 1)})"

    headings = [Column(name, no_wrap=name != "stems") for name in _COLUMNS]
    table = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        _, stems, parameters, size, _, cached, terms = _plain(row)
        sdr = row["sdr"]
        quality = "-"
        if sdr:
            quality = f"{sdr['value_db']:.2f} dB{note(sdr['test_set'] + ', ' + sdr['source'])}"
        stems = stems.replace(",", " ")
        short = terms.partition(" ")[0] + note(terms)
        table.add_row(row["name"], stems, parameters, size, quality, cached, short)
    console = Console()
    console.print(table)
    for row in rows:
        console.print(f"{row['name']}: {row['purpose']}", markup=False, highlight=False)
    for text, number in notes.items():
        console.print(f"({number}) {text}", markup=False, highlight=False)
