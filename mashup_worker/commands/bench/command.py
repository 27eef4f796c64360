"""`mashup bench`: measure speed, memory, cost and quality of this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from mashup_worker.commands.shared.failure import settings_or_fail, usage_errors
from mashup_worker.commands.shared.inputs import comma_separated
from mashup_worker.commands.shared.options import AsJson, Device, ModelRepo, Precision, Quiet
from mashup_worker.errors import InvalidInput

_MOST_PROCESSES = 64


class Peer(StrEnum):
    """Other engines."""

    DEMUCS = "demucs"
    UNBLEND = "unblend"
    DEMUCS_INFER = "demucs-infer"


def bench(
    context: typer.Context,
    what: Annotated[
        Literal["separation", "analyze", "mashup", "pipeline", "processes", "all"],
        typer.Argument(
            help="separation: one song in memory. analyze: one song in memory. mashup: four stems "
            "of three minutes. pipeline: FLAC files in, stems on disk out, several at a time. "
            "processes: the same in worker processes that share the device. all: these."
        ),
    ] = "separation",
    against: Annotated[
        list[Peer] | None,
        typer.Option(help="Other engine to run in turn on the same weights; repeatable."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="Model, or random for random weights of the shape of htdemucs, or random:scnet, "
            "random:scnet_large or random:kim_vocals. auto is htdemucs if its weights are cached, "
            "and random otherwise."
        ),
    ] = "auto",
    model_repo: ModelRepo = None,
    device: Device = "auto",
    precision: Precision = "auto",
    batch: Annotated[
        int | None, typer.Option(min=1, help="Segments per batch. [chosen for the device]")
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network's core.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=3600.0,
            help="Seconds per song. [by task: 180 or 240 on a GPU, 30 to 180 on a CPU]",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Rounds. [10 on a GPU, 3 on a CPU; pipeline: 3 and 1; processes: 1]",
        ),
    ] = None,
    songs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Songs of the pipeline, or of each process. [32 on a GPU, 4 on a CPU; processes: "
            "8 and 2]",
        ),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Songs of the pipeline in flight. [2 on a CPU, 8 on a GPU]"
        ),
    ] = None,
    processes: Annotated[
        str | None, typer.Option(help="Numbers of worker processes. [1,2,4 on a GPU, 1,2 on a CPU]")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(help="Settings to vary, such as batch,precision,compile,in-flight."),
    ] = None,
    limit: Annotated[
        bool,
        typer.Option(help="Count the network's operations and measure the limits of the device."),
    ] = True,
    mashup_format: Annotated[
        Literal["mp3", "flac"], typer.Option("--format", help="Format of the mashup.")
    ] = "mp3",
    gpu_price: Annotated[
        float | None,
        typer.Option(min=0.0, help="Price of the machine per hour; adds the cost per song."),
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("-o", "--output-dir", help="Folder of <device>.json, which is updated.")
    ] = Path("benchmarks/results"),
    as_json: AsJson = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Plot throughput and memory to <device>.png.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure speed, memory, cost and quality of this machine.

    Songs are synthesized. Results are merged into one document per device in the output folder.
    """
    from mashup_worker.commands.bench.plan import BenchRequest
    from mashup_worker.commands.bench.run import BenchRun

    with usage_errors():
        request = BenchRequest(
            what=what,
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
            processes=_counts(processes),
            sweeps=comma_separated(sweep),
            limit=limit,
            mashup_format=mashup_format,
            price_per_hour=gpu_price,
            command=_command(context),
        )
    BenchRun(
        request=request,
        settings=settings_or_fail(),
        folder=output_dir,
        as_json=as_json,
        plot=plot,
        quiet=quiet,
    ).all()


def _counts(text: str | None) -> tuple[int, ...]:
    """Return the numbers between the commas of `--processes`, in order."""
    words = comma_separated(text)
    if not all(word.isdecimal() and 1 <= int(word) <= _MOST_PROCESSES for word in words):
        raise InvalidInput(
            f"--processes {text}: use numbers from 1 to {_MOST_PROCESSES}, such as 1,2,4"
        )
    return tuple(sorted({int(word) for word in words}))


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
