"""`mashup separate`: separate songs into stems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.separate.output import Printer
from mashup_worker.commands.separate.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.commands.shared.exports import Exporter, ExportFormats, parse_exports
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.inputs import find_songs, named_kinds
from mashup_worker.commands.shared.options import (
    AsJson,
    BitDepth,
    Bitrate,
    Device,
    DryRun,
    InFlight,
    License,
    Model,
    ModelRepo,
    Precision,
    Quiet,
    Seed,
    StemFormat,
    Stems,
    SumExact,
    Verbose,
)
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, stem_kind


def separate(
    songs: Annotated[list[str], typer.Argument(help="Files, folders, or globs in quotes.")],
    output_dir: Annotated[
        Path, typer.Option("-o", "--output-dir", help="Folder for the stems.")
    ] = Path("stems"),
    model: Model = "auto",
    model_repo: ModelRepo = None,
    license_: License = None,
    stems: Stems = None,
    two_stems: Annotated[
        str | None, typer.Option(help="Write one stem, such as vocals, and the mix without it.")
    ] = None,
    format_: StemFormat = "flac",
    bit_depth: BitDepth = None,
    bitrate: Bitrate = None,
    device: Device = "auto",
    precision: Precision = "auto",
    shifts: Annotated[
        int, typer.Option(min=0, help="Random time shifts to average. Ignored by lite.")
    ] = 0,
    seed: Seed = 0,
    overlap: Annotated[
        float | None,
        typer.Option(
            help="Overlap of segments, as a share of their length; by default the model's own, "
            "0.25 for Demucs. Ignored by lite."
        ),
    ] = None,
    sum_exact: SumExact = False,
    name_template: Annotated[
        str, typer.Option(help="Path of a stem below the output folder; may contain {model} too.")
    ] = DEFAULT_TEMPLATE,
    export: ExportFormats = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Skip songs whose stems exist, made from the same content with the same settings.",
        ),
    ] = False,
    dry_run: DryRun = False,
    jobs: InFlight = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Separate songs into stems."""
    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.commands.separate.run import SeparateRun
    from mashup_worker.commands.shared.model_choice import ModelRequest, license_rule
    from mashup_worker.models.device import resolve_device, resolve_precision
    from mashup_worker.models.engine import EngineOptions

    with usage_errors():
        resolve_precision(precision, resolve_device(device))
        options = EngineOptions(
            device=device, precision=precision, shifts=shifts, seed=seed, overlap=overlap
        )
        found = find_songs(songs, output_dir)
        request = ModelRequest.of(model, model_repo, options, license_rule(license_))
        run = SeparateRun(
            model=request,
            wanted=_wanted(stems, two_stems),
            targets=Targets(
                output_dir=output_dir,
                template=name_template,
                ext=format_,
                model=request.name,
                songs=found.songs,
            ),
            encode=EncodeOptions(format_, 16 if bit_depth is None else bit_depth, bitrate),
            sum_exact=sum_exact,
            skip_existing=skip_existing,
            dry_run=dry_run,
            printer=(printer := Printer(as_json, quiet, verbose)),
            exporter=Exporter(parse_exports(export), printer),
            jobs=jobs,
        )
    run.printer.note(found)
    run.all()


def _wanted(stems: str | None, two_stems: str | None) -> tuple[str, ...] | None:
    if stems is not None and two_stems is not None:
        raise InvalidInput("--stems and --two-stems exclude each other")
    if two_stems is not None:
        kind = stem_kind(two_stems).removeprefix(COMPLEMENT_PREFIX)
        return kind, COMPLEMENT_PREFIX + kind
    return None if stems is None else named_kinds(stems)
