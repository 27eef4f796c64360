"""Options that several commands share; each help text states the unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.vocabulary import FormatName

AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="Print more details, and tracebacks of unexpected errors."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, and change nothing.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="auto, fp32, tf32, bf16 or fp16. auto is the fastest within 40 dB of fp32."),
]
Model = Annotated[
    str,
    typer.Option(
        help="Name in `mashup models list` or in --model-repo, or auto: htdemucs if --license "
        "allows it and its weights are available, else another model, at last the preview lite."
    ),
]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of checkpoints and recipes that holds --model.")
]
License = Annotated[
    list[str] | None,
    typer.Option(
        "--license",
        metavar="CLASS|ID",
        help="Licenses of weights that are allowed: permissive, restricted, unknown, or ids such "
        "as MIT; repeatable, or with commas. [all]",
    ),
]
Stems = Annotated[str | None, typer.Option(help="Stems to write, such as vocals,drums. [all]")]
StemFormat = Annotated[FormatName, typer.Option("--format", help="Format of the stems.")]
SumExact = Annotated[
    bool,
    typer.Option(
        "--sum-exact", help="Let the samples of all stems add up to those of the song exactly."
    ),
]
InFlight = Annotated[
    int | None,
    typer.Option("-j", "--jobs", min=1, help="Songs in flight at once. [2 on a CPU, 8 on a GPU]"),
]
OutputFile = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="File to write; its extension is the format, such as .mp3 or .flac."
    ),
]
BitDepth = Annotated[
    int | None, typer.Option(help="Bits per sample: 16, 24, or 32 (float) for WAV. [16]")
]
Bitrate = Annotated[int | None, typer.Option(help="Kilobits per second of lossy formats. [256]")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of random choices, such as dither.")]
MetricsAddress = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Address of /livez, /readyz and /metrics. [MASHUP_METRICS_ADDRESS]",
    ),
]
StopWithParent = Annotated[bool, typer.Option(hidden=True, help="Stop when standard input ends.")]
