"""`mashup bench`: measure speed, memory, cost and quality of this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, settings_or_fail
from mashup_worker.errors import EXIT_USAGE, InvalidInput


class What(StrEnum):
    """Sections to measure."""

    SEPARATION = "separation"
    ANALYZE = "analyze"
    MASHUP = "mashup"
    PIPELINE = "pipeline"
    ALL = "all"


class MashupFormat(StrEnum):
    """Formats of the mashup."""

    MP3 = "mp3"
    FLAC = "flac"


class Peer(StrEnum):
    """Other engines."""

    DEMUCS = "demucs"
    UNBLEND = "unblend"
    DEMUCS_INFER = "demucs-infer"


WhatArgument = Annotated[
    What,
    typer.Argument(
        help="separation: one song in memory. analyze: one song in memory. mashup: four stems of "
        "three minutes. pipeline: FLAC files in, stems on disk out, several at a time. all: these."
    ),
]
Against = Annotated[
    list[Peer] | None,
    typer.Option(help="Other engine to run in turn on the same weights; repeatable."),
]
Model = Annotated[
    str,
    typer.Option(
        help="Model, or random for random weights of the shape of htdemucs. auto is htdemucs if "
        "its weights are cached, and random otherwise."
    ),
]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of Demucs checkpoints that holds --model.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, cuda:N, cpu or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32, tf32, bf16 or fp16.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch", min=1, help="Segments per batch. [chosen for the device]")
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the network's core.")]
Seconds = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        max=3600.0,
        help="Seconds per song. [by task: 180 or 240 on a GPU, 30 to 180 on a CPU]",
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Rounds. [10 on a GPU, 3 on a CPU; pipeline: 3 and 1]"),
]
Songs = Annotated[
    int | None, typer.Option(min=1, help="Songs of the pipeline. [32 on a GPU, 4 on a CPU]")
]
InFlight = Annotated[
    int | None,
    typer.Option(
        "--in-flight",
        min=1,
        max=64,
        help="Songs of the pipeline in flight. [2 on a CPU, 8 on a GPU]",
    ),
]
Sweep = Annotated[
    str | None, typer.Option(help="Settings to vary, such as batch,precision,compile,in-flight.")
]
GpuPrice = Annotated[
    float | None,
    typer.Option(min=0.0, help="Price of the machine per hour; adds the cost per song."),
]
Limit = Annotated[
    bool,
    typer.Option(
        "--limit/--no-limit",
        help="Count the network's operations and measure the limits of the device.",
    ),
]
Format = Annotated[MashupFormat, typer.Option("--format", help="Format of the mashup.")]
OutputDir = Annotated[
    Path, typer.Option("-o", "--output-dir", help="Folder of <device>.json, which is updated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only the document that is written.")]
Plot = Annotated[bool, typer.Option("--plot", help="Plot throughput and memory to <device>.png.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


def bench(
    context: typer.Context,
    what: WhatArgument = What.SEPARATION,
    against: Against = None,
    model: Model = "auto",
    model_repo: ModelRepo = None,
    device: Device = "auto",
    precision: Precision = "auto",
    batch: BatchSize = None,
    compile_: Compile = False,
    seconds: Seconds = None,
    rounds: Rounds = None,
    songs: Songs = None,
    in_flight: InFlight = None,
    sweep: Sweep = None,
    limit: Limit = True,
    mashup_format: Format = MashupFormat.MP3,
    gpu_price: GpuPrice = None,
    output_dir: OutputDir = Path("benchmarks/results"),
    as_json: AsJson = False,
    plot: Plot = False,
    quiet: Quiet = False,
) -> None:
    """Measure speed, memory, cost and quality of this machine.

    Songs are synthesized. Results are merged into one document per device in the output folder.
    """
    from mashup_worker.commands.bench.plan import BenchRequest
    from mashup_worker.commands.bench.run import BenchRun

    try:
        request = BenchRequest(
            what=what.value,
            against=tuple(dict.fromkeys(peer.value for peer in against or ())),
            model=model,
            model_repo=model_repo,
            device=device,
            precision=precision,
            batch=batch,
            compiled=compile_,
            seconds=seconds,
            rounds=rounds,
            songs=songs,
            in_flight=in_flight,
            sweeps=tuple(name.strip() for name in (sweep or "").split(",") if name.strip()),
            limit=limit,
            mashup_format="flac" if mashup_format is MashupFormat.FLAC else "mp3",
            price_per_hour=gpu_price,
            command=_command(context),
        )
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    BenchRun(request, settings_or_fail(), output_dir, as_json, plot, quiet).all()


def _command(context: typer.Context) -> str:
    """Return the command line without paths of this machine."""
    words = ["mashup", context.info_name or "bench"]
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE" or parameter.name is None:
            continue
        value = context.params[parameter.name]
        option = parameter.opts[-1]
        if not option.startswith("-"):
            words.append(str(value))
        elif isinstance(value, bool):
            words.append(option if value else parameter.secondary_opts[-1])
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (option, str(one))]
        else:
            words += [option, "<folder>" if isinstance(value, Path) else str(value)]
    return " ".join(words)
