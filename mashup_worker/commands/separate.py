"""`mashup separate`: songs in, stems out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.failure import fail, settings_or_fail
from mashup_worker.commands.inputs import find_songs
from mashup_worker.commands.separate_output import Printer
from mashup_worker.commands.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.errors import (
    EXIT_FAILED,
    EXIT_USAGE,
    DeviceUnavailable,
    InvalidInput,
    MashupError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.audio.encode import EncodeOptions
    from mashup_worker.commands.inputs import Song
    from mashup_worker.commands.model_choice import LoadedModel, ModelRequest


class Format(StrEnum):
    """Formats of stems."""

    FLAC = "flac"
    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"


Songs = Annotated[list[str], typer.Argument(help="Files, folders, or globs in quotes.")]
OutputDir = Annotated[Path, typer.Option("-o", "--output-dir", help="Folder for the stems.")]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="auto, htdemucs, htdemucs_ft, htdemucs_6s, hdemucs_mmi, mdx_extra, mdx, lite, or a "
        "name in --model-repo. auto is htdemucs, or the preview model lite where its weights "
        "can't be had.",
    ),
]
ModelRepo = Annotated[
    Path | None, typer.Option(help="Folder of Demucs checkpoints and bags to take --model from.")
]
Stems = Annotated[
    str | None, typer.Option(help="Stems to make, such as vocals,drums. All when not given.")
]
TwoStems = Annotated[
    str | None, typer.Option(help="Make this stem and the mix without it, such as vocals.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, cuda:N, cpu or mps.")]
Precision = Annotated[
    str, typer.Option(help="auto, fp32, tf32, bf16 or fp16. auto is the fastest that is safe.")
]
Shifts = Annotated[
    int, typer.Option(min=0, help="Average this many random time shifts. Not for lite.")
]
Seed = Annotated[int, typer.Option(help="What the random shifts are drawn from.")]
Overlap = Annotated[
    float, typer.Option(help="Share of a segment that the next covers again. Not for lite.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Format of the stems.")]
BitDepth = Annotated[int, typer.Option(help="16 or 24 for FLAC and WAV, 32 (float) for WAV.")]
Bitrate = Annotated[int | None, typer.Option(help="Kilobits a second, for MP3 and OGG.")]
NameTemplate = Annotated[
    str,
    typer.Option(help="Path of a stem below the output folder; {model} can be used too."),
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave songs alone whose stems are all there.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and stop.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON a song on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print every stem.")]


def separate(
    songs: Songs,
    output_dir: OutputDir = Path("stems"),
    model: ModelName = "auto",
    model_repo: ModelRepo = None,
    stems: Stems = None,
    two_stems: TwoStems = None,
    format_: FormatOption = Format.FLAC,
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
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Separate songs into stems."""
    from mashup_worker.audio.encode import EncodeOptions
    from mashup_worker.commands.model_choice import ModelRequest
    from mashup_worker.models.demucs_engine import EngineOptions
    from mashup_worker.models.device import resolve_device, resolve_precision

    try:
        resolve_precision(precision, resolve_device(device))
        options = EngineOptions(device, precision, shifts, seed, overlap)
        run = _Run(
            model=ModelRequest(model, model_repo, options),
            wanted=_wanted(stems, two_stems),
            targets=Targets(output_dir, name_template, format_.value, model),
            encode=EncodeOptions(format_.value, bit_depth, bitrate),
            skip_existing=skip_existing,
            dry_run=dry_run,
            printer=Printer(as_json, quiet, verbose),
        )
        found = find_songs(songs, output_dir)
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    except DeviceUnavailable as error:
        fail(error.message, error.exit_code)
    run.all(found)


def _wanted(stems: str | None, two_stems: str | None) -> tuple[str, ...] | None:
    if stems is not None and two_stems is not None:
        raise InvalidInput("--stems and --two-stems exclude each other")
    if two_stems is not None:
        return two_stems, f"no_{two_stems}"
    if stems is None:
        return None
    return tuple(kind.strip() for kind in stems.split(",") if kind.strip())


@dataclass
class _Run:
    """One call of the command: all its songs, with the model loaded once and only when needed."""

    model: ModelRequest
    wanted: tuple[str, ...] | None
    targets: Targets
    encode: EncodeOptions
    skip_existing: bool
    dry_run: bool
    printer: Printer
    _loaded: LoadedModel | MashupError | None = None
    _failed: dict[Path, MashupError] = field(default_factory=dict)

    def all(self, songs: Sequence[Song]) -> None:
        """Do all songs; one that fails does not stop the others. Ends the command."""
        for song in songs:
            try:
                self._one(song)
            except MashupError as error:
                # One reason may fail many songs, such as missing weights: it is said once.
                if error not in self._failed.values():
                    self.printer.error(error)
                self._failed[song.path] = error
                self.printer.failure(song, error)
        if not self._failed:
            return
        if len(songs) > 1:
            names = ", ".join(map(str, self._failed))
            typer.echo(f"mashup: {len(self._failed)} of {len(songs)} failed: {names}", err=True)
        codes = {error.exit_code for error in self._failed.values()}
        all_alike = len(self._failed) == len(songs) and len(codes) == 1
        raise typer.Exit(codes.pop() if all_alike else EXIT_FAILED)

    def _kinds(self) -> tuple[str, ...]:
        """The stems to make. A model or a kind that there is not is wrong usage."""
        from mashup_worker.pipelines.stems import recipes

        try:
            known = self.model.known_stems() or self._model().separator.stems
            wanted = known if self.wanted is None else self.wanted
            return tuple(recipe.kind for recipe in recipes(known, None, wanted))
        except InvalidInput as error:
            fail(error.message, EXIT_USAGE)

    def _one(self, song: Song) -> None:
        from mashup_worker.pipelines.separate import SeparateRequest, separate_file

        targets = self.targets.of(song, self._kinds())
        if not song.path.exists():
            raise InvalidInput(f"{song.path}: no such file")
        if song.path.is_dir():
            raise InvalidInput(f"{song.path}: no songs in this folder")
        if self.dry_run:
            self.printer.plan(song, targets)
        elif self.skip_existing and all(path.is_file() for path in targets.values()):
            self.printer.skipped(song, targets)
        else:
            loaded = self._model()
            with self.printer.progress(song) as on_progress:
                result = separate_file(
                    loaded.separator, SeparateRequest(song.path, targets, self.encode), on_progress
                )
            self.printer.done(song, loaded, result)

    def _model(self) -> LoadedModel:
        """The model, loaded at the first call; what went wrong then is raised at every call."""
        from mashup_worker.commands.model_choice import load_model

        if self._loaded is None:
            try:
                self._loaded = load_model(self.model, settings_or_fail(), self.printer.quiet)
            except MashupError as error:
                self._loaded = error
        if isinstance(self._loaded, MashupError):
            raise self._loaded
        return self._loaded
