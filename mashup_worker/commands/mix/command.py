"""`mashup mix`: make a mashup of songs, of stems, or from a plan."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from mashup_worker.commands.shared.exports import Exporter, ExportFormats, parse_exports
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.options import (
    AsJson,
    BitDepth,
    Bitrate,
    Device,
    License,
    Model,
    ModelRepo,
    OutputFile,
    Quiet,
    Seed,
)
from mashup_worker.commands.shared.output import Output
from mashup_worker.errors import EXIT_FAILED, InvalidInput
from mashup_worker.mixing.vibes import VibeName
from mashup_worker.vocabulary import DEFAULT_TRUE_PEAK_DBTP, FormName, TransitionName

_DECIDED_BY_A_PLAN = (
    *("form", "vibe", "intensity", "transition", "tempo", "key", "length", "loudness"),
    *("true_peak", "engine", "seed", "force", "two_vocals"),
)
"""Options without effect on a plan."""


def mix(
    context: typer.Context,
    output: OutputFile,
    songs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Songs to play one after another, or more songs for --over: files, or folders of "
            "stems.",
            show_default=False,
        ),
    ] = None,
    stem: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE:KIND[:SONG]",
            help="Stem to use; repeatable. Stems of one SONG share its beat grid.",
        ),
    ] = None,
    vocals_of: Annotated[
        str | None, typer.Option(metavar="SONG", help="Song whose vocals are used.")
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SONG",
            help="Song whose instruments are used. Repeatable; the first sets the tempo.",
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option(metavar="PLAN.json", help="Plan to render.")] = None,
    form: Annotated[
        FormName | None,
        typer.Option(
            help="Vocals over other songs' instruments (layer), or songs one after another "
            "(sequence), or short parts of them (medley). By default a layer if exactly one of "
            "several songs has vocals."
        ),
    ] = None,
    vibe: Annotated[VibeName, typer.Option(help="Style of arrangement, mix and master.")] = "club",
    intensity: Annotated[
        float, typer.Option(metavar="0..1", help="Strength of the vibe: 0 for calm, 1 for intense.")
    ] = 0.5,
    transition: Annotated[
        TransitionName | None, typer.Option(help="Transition between songs. [the vibe's]")
    ] = None,
    tempo: Annotated[
        float | None,
        typer.Option(metavar="BPM", help="Tempo, within 20 %. [that of the first instruments]"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Key, as A minor, Am or 8A. [the one with the least shifting]"),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Approximate length, in whole phrases. [the vocals']"),
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(metavar="LUFS", help="Integrated loudness. [the vibe's]")
    ] = None,
    true_peak: Annotated[
        float, typer.Option(metavar="DBTP", help="Highest true peak.")
    ] = DEFAULT_TRUE_PEAK_DBTP,
    engine: Annotated[
        str,
        typer.Option(
            help="Time-stretching engine: tensor, slices, rubberband-r3, rubberband-r2, "
            "signalsmith, or auto by kind of stem."
        ),
    ] = "auto",
    seed: Seed = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Allow stretches above 8 %, or 20 % with --tempo.")
    ] = False,
    two_vocals: Annotated[
        bool, typer.Option("--two-vocals", help="Allow two lead vocals at once in a plan.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a measurement stays beyond its limit.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="HTML report to write.")
    ] = None,
    export: ExportFormats = None,
    keep_stems: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the tracks whose sum is the result."),
    ] = None,
    bit_depth: BitDepth = None,
    bitrate: Bitrate = None,
    model: Model = "auto",
    model_repo: ModelRepo = None,
    license_: License = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a mashup of songs, of stems, or from a plan."""
    from mashup_worker.audio.formats import encode_options
    from mashup_worker.commands.mix.files import MixOutputs
    from mashup_worker.commands.mix.run import MixRun, MixSources
    from mashup_worker.commands.shared.model_choice import ModelRequest, license_rule
    from mashup_worker.commands.shared.progress import song_progress
    from mashup_worker.mixing.keys import parse_key
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.models.device import resolve_device
    from mashup_worker.models.engine import EngineOptions

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports caches and fonts
    with usage_errors():
        resolve_device(device)
        request = MixRequest(
            vibe=vibe,
            intensity=intensity,
            transition=transition,
            tempo_bpm=tempo,
            key=None if key is None else parse_key(key),
            length_s=length,
            loudness_lufs=loudness,
            true_peak_dbtp=true_peak,
            seed=seed,
            engine=engine,
            forced=force,
            allow_two_vocals=two_vocals,
        )
        if plan is not None:
            _check_undecided(context)
        sources = MixSources(
            songs=songs or (), stems=stem or (), vocals_of=vocals_of, over=over or (), plan=plan
        )
        encode = encode_options(output, bit_depth, bitrate)
        exporter = Exporter(parse_exports(export), Output(as_json, quiet))
        rule = license_rule(license_)
        separation = ModelRequest.of(model, model_repo, EngineOptions(device), rule)
    outputs = MixOutputs(output, report, keep_stems)
    with song_progress(output.name, not quiet) as progress:
        run = MixRun(
            sources=sources,
            outputs=outputs,
            request=request,
            form=form,
            encode=encode,
            model=separation,
            device=device,
            on_progress=progress,
        )
        document = run.run()
    printer = Output(as_json, quiet)
    for found in run.found:
        printer.note(found)
    _print(printer, document)
    run.export(exporter)
    if strict and not document["passed"]:
        raise typer.Exit(EXIT_FAILED)


def _check_undecided(context: typer.Context) -> None:
    for name in _DECIDED_BY_A_PLAN:
        given = context.get_parameter_source(name)
        if given is not None and given.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise InvalidInput(f"{option} has no effect on --plan: edit the plan instead")


def _print(printer: Output, document: dict[str, Any]) -> None:
    """Print the mashup, its notes, and its measurements."""
    printer.warnings(document["warnings"])
    printer.json(document)
    plan, report = document["plan"], document["report"]
    grid = plan["grid"]
    duration_s = grid["bars"] * grid["beats_per_bar"] * 60 / grid["tempo_bpm"]
    facts = [
        f"{plan['form']}, {plan['vibe']} {plan['intensity']:g}",
        f"{grid['tempo_bpm']:.2f} BPM",
        plan["key"] or "no key",
        f"{grid['bars']} bars",
        f"{int(duration_s // 60)}:{duration_s % 60:04.1f}",
    ]
    printer.line(f"{document['output']}: {', '.join(facts)}; {document['elapsed_s']:.1f} s")
    for note in plan["notes"]:
        printer.line(f"  {note}")
    judged = [one for one in report["measurements"] if one["passed"] is not None]
    failed = [one for one in judged if not one["passed"]]
    rounds = f", after {document['rounds']} renderings" if document["rounds"] > 1 else ""
    printer.line(f"  {len(judged) - len(failed)} of {len(judged)} measurements passed{rounds}")
