"""`mashup mix`: make a mashup of songs, of stems, or from a plan."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.errors import EXIT_USAGE, InvalidInput, MashupError
from mashup_worker.mixing.vibes import VibeName
from mashup_worker.vocabulary import DEFAULT_TRUE_PEAK_DBTP, FormName, TransitionName

if TYPE_CHECKING:
    from mashup_worker.commands.mix.run import MixRun


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
        help="Stem to use; repeatable. Stems of one SONG share its beat grid.",
    ),
]
VocalsOf = Annotated[str | None, typer.Option(metavar="SONG", help="Song whose vocals are used.")]
Over = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SONG",
        help="Song whose instruments are used. Repeatable; the first sets the tempo.",
    ),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", metavar="PLAN.json", help="Plan to render.")
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="File to write; its extension is the format, such as .mp3 or .flac."
    ),
]
Form = Annotated[
    FormName | None,
    typer.Option(
        help="Vocals over other songs' instruments (layer), or songs one after another "
        "(sequence). By default a layer if exactly one of several songs has vocals."
    ),
]
Vibe = Annotated[VibeName, typer.Option(help="Style of arrangement, mix and master.")]
Intensity = Annotated[
    float, typer.Option(metavar="0..1", help="Strength of the vibe: 0 for calm, 1 for intense.")
]
Transition = Annotated[
    TransitionName | None, typer.Option(help="Transition between songs. [the vibe's]")
]
Tempo = Annotated[
    float | None, typer.Option(metavar="BPM", help="Tempo. [that of the first instruments]")
]
Key = Annotated[
    str | None, typer.Option(help="Key, as A minor, Am or 8A. [the one with the least shifting]")
]
Length = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Approximate length, in whole phrases. [the vocals']"),
]
Loudness = Annotated[
    float | None, typer.Option(metavar="LUFS", help="Integrated loudness. [the vibe's]")
]
TruePeak = Annotated[float, typer.Option(metavar="DBTP", help="Highest true peak.")]
Engine = Annotated[
    str,
    typer.Option(
        help="Time-stretching engine: tensor, slices, rubberband-r3, rubberband-r2, "
        "signalsmith, or auto by kind of stem."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of random choices, such as dither.")]
Force = Annotated[bool, typer.Option("--force", help="Allow stretches above 20 %.")]
TwoVocals = Annotated[
    bool, typer.Option("--two-vocals", help="Allow two lead vocals at once in a plan.")
]
Report = Annotated[Path | None, typer.Option(metavar="REPORT.html", help="HTML report to write.")]
KeepStems = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the tracks whose sum is the result.")
]
BitDepth = Annotated[
    int | None, typer.Option(help="Bits per sample: 16, 24, or 32 (float) for WAV. [16]")
]
Bitrate = Annotated[int | None, typer.Option(help="Kilobits per second of lossy formats. [256]")]
Model = Annotated[str, typer.Option(help="Model that separates whole songs, or auto.")]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of Demucs checkpoints that holds --model.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


_DECIDED_BY_A_PLAN = (
    *("form", "vibe", "intensity", "transition", "tempo", "key", "length", "loudness"),
    *("true_peak", "engine", "seed", "force", "two_vocals"),
)
"""Options without effect on a plan."""


def mix(
    context: typer.Context,
    output: Output,
    songs: Songs = None,
    stem: Stem = None,
    vocals_of: VocalsOf = None,
    over: Over = None,
    plan: PlanFile = None,
    form: Form = None,
    vibe: Vibe = "club",
    intensity: Intensity = 0.5,
    transition: Transition = None,
    tempo: Tempo = None,
    key: Key = None,
    length: Length = None,
    loudness: Loudness = None,
    true_peak: TruePeak = DEFAULT_TRUE_PEAK_DBTP,
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
            form,
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
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports caches and fonts
    try:
        return run.run()
    except MashupError as error:
        fail(error.message, error.exit_code)
