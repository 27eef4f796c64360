"""`mashup mix`: songs in, a mashup out."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.errors import EXIT_USAGE, InvalidInput, MashupError

if TYPE_CHECKING:
    from mashup_worker.commands.mix.run import MixRun


class Form(StrEnum):
    """How songs come together."""

    LAYER = "layer"
    SEQUENCE = "sequence"


Songs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Songs to play one after another, or more songs for --over: files, or folders of "
        "stems.",
        show_default=False,
    ),
]
Stem = Annotated[
    list[str] | None,
    typer.Option(
        "--stem",
        metavar="FILE:KIND[:SONG]",
        help="A stem as it is; may be given several times. Stems of one SONG share its beat.",
    ),
]
VocalsOf = Annotated[
    str | None, typer.Option(metavar="SONG", help="The song whose vocals are taken.")
]
Over = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SONG", help="A song to lay them over; the first of several sets the tempo."
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="PLAN.json", help="A plan to render, edited or not."),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="The mashup: a name that ends in the format, such as .mp3 or .flac."
    ),
]
FormOption = Annotated[
    Form | None,
    typer.Option(
        "--form",
        help="layer, one song's vocals over others' instruments, or sequence, songs one after "
        "another. Found out when not given.",
    ),
]
VibeName = Annotated[
    str, typer.Option("--vibe", help="club, chill, lofi, hype or ambient: how it is arranged.")
]
Intensity = Annotated[
    float, typer.Option(metavar="0..1", help="From calm to full on, within the vibe.")
]
Transition = Annotated[
    str | None,
    typer.Option(help="crossfade, bass_swap, filter_sweep or cut. The vibe's own when not given."),
]
Tempo = Annotated[
    float | None, typer.Option(metavar="BPM", help="Tempo. The first instruments' when not given.")
]
Key = Annotated[
    str | None,
    typer.Option(help="Key, as A minor, Am or 8A. What needs least shifting when not given."),
]
Length = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="About how long; phrases stay whole."),
]
Loudness = Annotated[
    float | None,
    typer.Option(metavar="LUFS", help="Integrated loudness. The vibe's when not given."),
]
TruePeak = Annotated[float, typer.Option(metavar="DBTP", help="Highest true peak.")]
Engine = Annotated[
    str,
    typer.Option(
        help="What stretches and transposes: tensor, slices, rubberband-r3, rubberband-r2, "
        "signalsmith, or auto by kind of stem."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="What chance decides by, such as dither.")]
Force = Annotated[
    bool, typer.Option("--force", help="Stretch beyond 20 % where that is what it takes.")
]
TwoVocals = Annotated[
    bool, typer.Option("--two-vocals", help="Let two lead vocals sing at once in a plan.")
]
Report = Annotated[
    Path | None, typer.Option(metavar="REPORT.html", help="A page about the result.")
]
KeepStems = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the tracks that the result is the sum of."),
]
BitDepth = Annotated[int | None, typer.Option(help="16 or 24; 32, float, for WAV. [16]")]
Bitrate = Annotated[int | None, typer.Option(help="Kilobits a second of MP3. [256]")]
Model = Annotated[str, typer.Option(help="What separates whole songs: a model's name, or auto.")]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of checkpoints to take the model from.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


_DECIDED_BY_A_PLAN = (
    *("form", "vibe", "intensity", "transition", "tempo", "key", "length", "loudness"),
    *("true_peak", "engine", "seed", "force", "two_vocals"),
)
"""Options that say nothing beside a plan."""


def mix(
    context: typer.Context,
    output: Output,
    songs: Songs = None,
    stem: Stem = None,
    vocals_of: VocalsOf = None,
    over: Over = None,
    plan: PlanFile = None,
    form: FormOption = None,
    vibe: VibeName = "club",
    intensity: Intensity = 0.5,
    transition: Transition = None,
    tempo: Tempo = None,
    key: Key = None,
    length: Length = None,
    loudness: Loudness = None,
    true_peak: TruePeak = -1.0,
    engine: Engine = "auto",
    seed: Seed = 0,
    force: Force = False,
    two_vocals: TwoVocals = False,
    report: Report = None,
    keep_stems: KeepStems = None,
    bit_depth: BitDepth = None,
    bitrate: Bitrate = None,
    model: Model = "auto",
    model_repo: ModelRepo = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a mashup of songs, of stems, or from a plan."""
    from mashup_worker.audio.formats import encode_options
    from mashup_worker.commands.mix.files import MixOutputs
    from mashup_worker.commands.mix.output import MixPrinter
    from mashup_worker.commands.mix.run import MixRun, MixSources
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.commands.shared.progress import song_progress
    from mashup_worker.mixing.keys import parse_key
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.models.demucs_engine import EngineOptions
    from mashup_worker.models.device import resolve_device

    printer = MixPrinter(as_json, quiet, verbose=False)
    try:
        resolve_device(device)
        request = MixRequest(
            vibe=vibe,
            intensity=intensity,
            transition=transition,  # type: ignore[arg-type]
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
        sources = MixSources(songs or (), stem or (), vocals_of, over or (), plan)
        encode = encode_options(output, bit_depth, bitrate)
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    except MashupError as error:
        fail(error.message, error.exit_code)
    with song_progress(output.name, not quiet) as progress:
        run = MixRun(
            sources,
            MixOutputs(output, report, keep_stems),
            request,
            form.value if form else None,
            encode,
            ModelRequest(model, model_repo, EngineOptions(device)),
            device,
            progress or (lambda _stage, _share: None),
        )
        document = _made(run)
    printer.done(document)


def _check_undecided(context: typer.Context) -> None:
    for name in _DECIDED_BY_A_PLAN:
        given = context.get_parameter_source(name)
        if given is not None and given.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise InvalidInput(f"{option} has no effect on --plan: edit the plan instead")


def _made(run: MixRun) -> dict[str, Any]:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of caches and of fonts
    try:
        return run.run()
    except MashupError as error:
        fail(error.message, error.exit_code)
