"""`mashup reprocess`: separate and analyze seed tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.reprocess.output import ReprocessPrinter
from mashup_worker.commands.shared.exports import ExportFormats, parse_exports
from mashup_worker.commands.shared.failure import fail, settings_or_fail, usage_errors
from mashup_worker.commands.shared.inputs import named_kinds
from mashup_worker.commands.shared.options import (
    AsJson,
    Device,
    DryRun,
    InFlight,
    License,
    Precision,
    Quiet,
    StemFormat,
    Stems,
    SumExact,
    Verbose,
)

if TYPE_CHECKING:
    from mashup_worker.seed.record import SeedSettings
    from mashup_worker.vocabulary import FormatName


def reprocess(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SRC...", help="Files, folders, globs, or s3://bucket/prefix."),
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="DEST", help="Folder or s3://bucket/prefix for all results."),
    ] = None,
    enqueue: Annotated[
        bool,
        typer.Option(
            "--enqueue", help="Enqueue the songs as jobs of --user, and follow them; excludes --to."
        ),
    ] = False,
    user: Annotated[
        str | None, typer.Option(help="Id of the user who gets the mashups and stems of --enqueue.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name in `mashup models list`.")] = "htdemucs",
    license_: License = None,
    stems: Stems = None,
    format_: StemFormat = "flac",
    sum_exact: SumExact = False,
    export: ExportFormats = None,
    device: Device = "auto",
    precision: Precision = "auto",
    max_duration: Annotated[
        float, typer.Option(min=0.1, help="Longest accepted song, in seconds.")
    ] = 3_600.0,
    jobs: InFlight = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Process the first N songs only. [all]")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Separate and analyze seed tracks into a library.

    Needs no server, except with --enqueue. Songs are identified by their content. Songs that DEST
    already holds with the same settings are skipped, so a stopped run can be started again.
    """
    from mashup_worker.commands.reprocess.sources import find_tracks
    from mashup_worker.commands.shared.model_choice import ModelRequest, license_rule
    from mashup_worker.models.engine import EngineOptions

    if (to is None) == (not enqueue):
        fail("give either --to DEST or --enqueue")
    if enqueue != (user is not None):
        fail("--enqueue and --user belong together")
    printer = ReprocessPrinter(as_json, quiet, verbose)
    with usage_errors():
        rule = license_rule(license_)
        _ = ModelRequest(model, None, EngineOptions(device), rule).names()
        settings = _settings(model, named_kinds(stems), format_, sum_exact=sum_exact)
        if names := parse_exports(export):
            settings = settings.model_copy(update={"export": names})
        places = find_tracks(sources, to)
        tracks = places.tracks[:limit]
    printer.start(places.found)
    if user is not None:
        from mashup_worker.commands.reprocess.enqueue import EnqueueRun
        from mashup_worker.commands.shared.services import uuid_of

        EnqueueRun(
            tracks=tracks,
            user=uuid_of(user, "--user"),
            settings=settings,
            dry_run=dry_run,
            printer=printer,
        ).all()
        return
    assert to is not None, "checked above"  # noqa: S101
    from mashup_worker.commands.reprocess.run import ReprocessRun
    from mashup_worker.commands.reprocess.sources import open_library
    from mashup_worker.models.device import resolve_device, resolve_precision
    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.pipelines.separation.in_flight import songs_in_flight

    with usage_errors():
        place = resolve_device(device)
        resolve_precision(precision, place)
        request = ModelRequest(model, None, EngineOptions(device, precision), rule)
        library = open_library(to)
    most = songs_in_flight(jobs, place.type, len(tracks))
    ReprocessRun(
        tracks=tracks,
        library=library,
        settings=settings,
        model=request,
        max_duration_s=max_duration,
        dry_run=dry_run,
        printer=printer,
        jobs=most,
    ).all()


def _settings(
    model: str, kinds: tuple[str, ...], format_: FormatName, *, sum_exact: bool
) -> SeedSettings:
    """Return the settings of all songs.

    Raises:
        InvalidInput: the model is unknown, it does not separate one of the stems, or the stems
            cannot add up exactly.
    """
    from mashup_worker.analysis.result import ANALYSIS_VERSION
    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.models.store import WeightStore
    from mashup_worker.pipelines.separation.exact import check_lossless, completing_stem
    from mashup_worker.pipelines.separation.stems import stem_mixes
    from mashup_worker.seed.record import SeedSettings

    store = WeightStore(settings_or_fail())
    stems = store.find(model).stems
    if kinds:
        stem_mixes(stems, None, kinds)
    if sum_exact:
        check_lossless(EncodeOptions(format_))
        completing_stem(stems, None, kinds or stems)
    return SeedSettings(
        model=model,
        stems=kinds,
        format=format_,
        weights_sha256=store.weights_sha256(model),
        sum_exact=sum_exact or None,
        analysis=ANALYSIS_VERSION,
    )
