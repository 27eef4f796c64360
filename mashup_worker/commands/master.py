"""`mashup master`: bring a song to a loudness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.commands.shared.options import AsJson, BitDepth, Bitrate, OutputFile, Quiet, Seed
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import DEFAULT_LOUDNESS_LUFS, DEFAULT_TRUE_PEAK_DBTP

if TYPE_CHECKING:
    from mashup_worker.pipelines.master import MasterResult

_MOST_COMPRESSION_DB = 12.0


def master(
    song: Annotated[Path, typer.Argument(help="File of the song.", show_default=False)],
    output: OutputFile,
    loudness: Annotated[
        float, typer.Option(metavar="LUFS", help="Integrated loudness.")
    ] = DEFAULT_LOUDNESS_LUFS,
    true_peak: Annotated[
        float, typer.Option(metavar="DBTP", help="Highest true peak of the decoded file.")
    ] = DEFAULT_TRUE_PEAK_DBTP,
    compress: Annotated[
        float,
        typer.Option(
            metavar="DB", help="Gain reduction by a bus compressor in loud passages; 0 for none."
        ),
    ] = 0.0,
    raise_quiet: Annotated[
        bool,
        typer.Option(
            "--raise-quiet", help="Raise songs below -70 LUFS too, which count as silence."
        ),
    ] = False,
    seed: Seed = 0,
    bit_depth: BitDepth = None,
    bitrate: Bitrate = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring a song to a loudness and limit its true peaks."""
    from mashup_worker.audio.decode import decode
    from mashup_worker.audio.formats import encode_options
    from mashup_worker.audio.tag_reader import read_tags
    from mashup_worker.commands.shared.names import real_path
    from mashup_worker.commands.shared.output import Output
    from mashup_worker.commands.shared.progress import song_progress
    from mashup_worker.dsp.compressor import Compression
    from mashup_worker.pipelines.mashup.songs import LIMITS
    from mashup_worker.pipelines.master import MasterRequest, write_master

    with usage_errors():
        if not 0 <= compress <= _MOST_COMPRESSION_DB:
            raise InvalidInput(
                f"--compress {compress:g}: it must lie between 0 and {_MOST_COMPRESSION_DB:g}"
            )
        if real_path(output) == real_path(song):
            raise InvalidInput(f"-o {output}: it would overwrite the song")
        compression = Compression(reduction_db=compress) if compress else None
        request = MasterRequest(
            loudness_lufs=loudness,
            true_peak_dbtp=true_peak,
            compression=compression,
            seed=seed,
            raise_quiet=raise_quiet,
        )
        encode = encode_options(output, bit_depth, bitrate)
    with song_progress(song.name, not (quiet or as_json)) as progress:
        warnings: list[str] = []
        audio, found = decode(song, LIMITS, warnings.append), read_tags(song)
        warnings += found.warnings
        result = write_master(
            audio, output, request, encode=encode, tags=found.tags, on_progress=progress
        )
    document = _document(song, result) | {"warnings": warnings}
    printer = Output(as_json, quiet)
    printer.warn(song, warnings)
    printer.json(document)
    for line in _lines(document):
        printer.line(line)


def _document(song: Path, result: MasterResult) -> dict[str, Any]:
    loudness = result.loudness
    return {
        "input": str(song),
        "output": str(result.path),
        "elapsed_s": round(sum(result.timings_s.values()), 3),
        "loudness_lufs": _rounded(loudness.integrated_lufs),
        "loudness_range_lu": _rounded(loudness.range_lu),
        "true_peak_dbtp": _rounded(loudness.true_peak_dbtp),
        "gain_db": round(result.gain_db, 2),
        "limiting_db": round(result.limiting_db, 2),
        "notes": list(result.notes),
    }


def _lines(document: dict[str, Any]) -> list[str]:
    loudness, peak = document["loudness_lufs"], document["true_peak_dbtp"]
    facts = [
        "no loudness" if loudness is None else f"{loudness:.1f} LUFS",
        "silent" if peak is None else f"{peak:.1f} dBTP",
        f"gain {document['gain_db']:+.1f} dB",
        f"limited by at most {document['limiting_db']:.1f} dB",
        f"{document['elapsed_s']:.1f} s",
    ]
    summary = f"{document['output']}: {', '.join(facts)}"
    return [summary, *(f"  {note}" for note in document["notes"])]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
