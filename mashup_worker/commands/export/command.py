"""`mashup export`: write results as files for programs of DJs and producers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.inputs import comma_separated
from mashup_worker.commands.shared.options import AsJson, Device, Quiet, Verbose
from mashup_worker.vocabulary import EXPORTS


def export(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT...",
            help="Songs, folders of stems, mashups with their plan beside them, plans, and JSON "
            "files of `mashup analyze`.",
        ),
    ],
    to: Annotated[
        str, typer.Option(metavar="FORMAT[,FORMAT]", help=f"Formats: {', '.join(EXPORTS)}.")
    ],
    output_dir: Annotated[
        Path, typer.Option("-o", "--output-dir", help="Folder for the files.")
    ] = Path("exports"),
    root: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Path of the output folder on the computer that imports rekordbox or m3u8.",
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write results as files for DJ programs and DAWs."""
    from mashup_worker.commands.export.results import find_results
    from mashup_worker.commands.export.run import ExportRun
    from mashup_worker.commands.shared.exports import Exporter
    from mashup_worker.commands.shared.output import Output
    from mashup_worker.exports.collection import check_root
    from mashup_worker.exports.export import export_names
    from mashup_worker.models.device import resolve_device

    printer = Output(as_json, quiet, verbose)
    with usage_errors():
        names = export_names(comma_separated(to), f"--to {to}")
        if root is not None:
            check_root(root, names)
        resolve_device(device)
        found = find_results(results, output_dir, printer.note)
    ExportRun(
        results=found, exporter=Exporter(names, printer, root), folder=output_dir, device=device
    ).all()
