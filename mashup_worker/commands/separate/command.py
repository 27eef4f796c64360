"""`mashup separate`: separate songs into stems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.separate.output import Printer
from mashup_worker.commands.separate.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.commands.shared.failure import fail
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.errors import EXIT_USAGE, DeviceUnavailable, InvalidInput
from mashup_worker.vocabulary import FormatName

Songs = Annotated[list[str], typer.Argument(help="Files, folders, or globs in quotes.")]
OutputDir = Annotated[Path, typer.Option("-o", "--output-dir", help="Folder for the stems.")]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="Name in `mashup models list` or in --model-repo, or auto: htdemucs, or the preview "
        "model lite if the weights of htdemucs are unavailable.",
    ),
]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of Demucs checkpoints that holds --model.")
]
Stems = Annotated[str | None, typer.Option(help="Stems to write, such as vocals,drums. [all]")]
TwoStems = Annotated[
    str | None, typer.Option(help="Write one stem, such as vocals, and the mix without it.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, cuda:N, cpu or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="auto, fp32, tf32, bf16 or fp16. auto is the fastest within 40 dB of fp32."),
]
Shifts = Annotated[int, typer.Option(min=0, help="Random time shifts to average. Ignored by lite.")]
Seed = Annotated[int, typer.Option(help="Seed of the random shifts.")]
Overlap = Annotated[
    float, typer.Option(help="Overlap of segments, as a share of their length. Ignored by lite.")
]
FormatOption = Annotated[FormatName, typer.Option("--format", help="Format of the stems.")]
BitDepth = Annotated[
    int, typer.Option(help="Bits per sample of lossless formats: 16, 24, or 32 (float) for WAV.")
]
Bitrate = Annotated[int | None, typer.Option(help="Kilobits per second of lossy formats. [256]")]
NameTemplate = Annotated[
    str, typer.Option(help="Path of a stem below the output folder; may contain {model} too.")
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Skip songs whose stems all exist.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the files to write, and exit.")]
Jobs = Annotated[
    int | None,
    typer.Option("-j", "--jobs", min=1, help="Songs in flight at once. [2 on a CPU, 8 on a GPU]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON per song on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print every stem.")]


def separate(
    songs: Songs,
    output_dir: OutputDir = Path("stems"),
    model: ModelName = "auto",
    model_repo: ModelRepo = None,
    stems: Stems = None,
    two_stems: TwoStems = None,
    format_: FormatOption = "flac",
    bit_depth: BitDepth = 16,
    bitrate: Bitrate = None,
    device: Device = "auto",
    precision: Precision = "auto",
    shifts: Shifts = 0,
    seed: Seed = 0,
    overlap: Overlap = 0.25,
    name_template: NameTemplate = DEFAULT_TEMPLATE,
    skip_existing: SkipExisting = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Separate songs into stems."""
    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.commands.separate.run import SeparateRun
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.models.demucs_engine import EngineOptions
    from mashup_worker.models.device import resolve_device, resolve_precision

    try:
        resolve_precision(precision, resolve_device(device))
        options = EngineOptions(device, precision, shifts, seed, overlap)
        found = find_songs(songs, output_dir)
        run = SeparateRun(
            model=ModelRequest(model, model_repo, options),
            wanted=_wanted(stems, two_stems),
            targets=Targets(output_dir, name_template, format_, model, found),
            encode=EncodeOptions(format_, bit_depth, bitrate),
            skip_existing=skip_existing,
            dry_run=dry_run,
            printer=Printer(as_json, quiet, verbose),
            jobs=jobs,
        )
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    except DeviceUnavailable as error:
        fail(error.message, error.exit_code)
    run.all()


def _wanted(stems: str | None, two_stems: str | None) -> tuple[str, ...] | None:
    if stems is not None and two_stems is not None:
        raise InvalidInput("--stems and --two-stems exclude each other")
    if two_stems is not None:
        return two_stems, f"no_{two_stems}"
    if stems is None:
        return None
    return tuple(kind.strip() for kind in stems.split(",") if kind.strip())
