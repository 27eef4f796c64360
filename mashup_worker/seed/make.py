"""Processing of one seed track: stems, waveforms and analysis of an untrusted file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.player_names import waveform_name
from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import MashupError
from mashup_worker.exports.objects import write_exports
from mashup_worker.exports.song import ExportSong, stem_tracks
from mashup_worker.pipelines.separation.separate import SeparateRequest
from mashup_worker.pipelines.song import SplitSong, split_song
from mashup_worker.seed.record import SeedRecord, SeedStem, song_folder
from mashup_worker.system.digests import file_sha256
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mashup_worker.exports.objects import Exports
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separation.writing import StemFile
    from mashup_worker.seed.record import SeedSettings, SeedSource

_DECODED = "decoded.wav"
_MAX_DECODED_BYTES = 4_000_000_000
_DECODE_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class SeedSong:
    """Song to process, as a local file with its digest and the location that it comes from."""

    file: Path
    sha256: str
    source: SeedSource


@dataclass(frozen=True)
class SeedResult:
    """Record of a processed song, its files by key, and exports that failed."""

    record: SeedRecord
    files: Mapping[str, Path]
    warnings: tuple[str, ...] = ()


def make_seed(
    song: SeedSong,
    separator: Separator,
    settings: SeedSettings,
    max_duration_s: float,
    on_progress: Callable[[str, float], None],
) -> SeedResult:
    """Process a song and write the results beside its file.

    Raises:
        MashupError: the processing failed; the message names the source of the song.
    """
    split = _split(song, separator, settings, max_duration_s, on_progress)
    assert split.analysis is not None, "it was requested"  # noqa: S101
    analysis = split.analysis.analysis.as_dict()
    files = {**split.files, "analysis.json": song.file.with_name("analysis.json")}
    write_atomically(files["analysis.json"], (json.dumps(analysis) + "\n").encode())
    prefix = song_folder(song.sha256, settings)
    exports = _exports(song, split, settings, on_progress)
    files |= exports.objects
    record = SeedRecord(
        sha256=song.sha256,
        title=PurePosixPath(song.source.name).stem,
        sources=(song.source,),
        settings=settings,
        duration_s=round(split.separated.duration_s, 6),
        stems=tuple(_stem(stem, prefix, settings) for stem in split.separated.stems),
        analysis=analysis,
        model={
            "name": separator.name,
            "device": separator.device,
            "precision": separator.precision,
            "license": separator.license.as_dict(),
        },
        timings_s={stage: round(seconds, 3) for stage, seconds in split.timings_s.items()},
        made_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        exports={name: f"{prefix}/{path.name}" for name, path in exports.files.items()},
    )
    keyed = {f"{prefix}/{name}": path for name, path in files.items()}
    return SeedResult(record, keyed, exports.warnings)


def _exports(
    song: SeedSong,
    split: SplitSong,
    settings: SeedSettings,
    on_progress: Callable[[str, float], None],
) -> Exports:
    first = split.separated.stems[0]
    whole = ExportSong(
        title=PurePosixPath(song.source.name).stem,
        file=song.file.with_name(_DECODED),
        tracks=stem_tracks({one.kind: one.path for one in split.separated.stems}),
        analysis=None if split.analysis is None else split.analysis.analysis,
        tags=read_tags(first.path).tags.of_song(first.kind),
    )
    return write_exports(whole, settings.export or (), song.file.parent, on_progress)


def _split(
    song: SeedSong,
    separator: Separator,
    settings: SeedSettings,
    max_duration_s: float,
    on_progress: Callable[[str, float], None],
) -> SplitSong:
    decoded = song.file.with_name(_DECODED)
    kinds = settings.stems or separator.stems
    targets = {kind: song.file.with_name(f"{kind}.{settings.format}") for kind in kinds}
    limits = SandboxLimits(
        max_duration_s=max_duration_s,
        max_decoded_bytes=_MAX_DECODED_BYTES,
        timeout_s=_DECODE_TIMEOUT_S,
    )
    try:
        on_progress("decode", 0.0)
        found = decode_sandboxed(song.file, decoded, limits)
        return split_song(
            separator,
            SeparateRequest(
                decoded,
                targets,
                EncodeOptions(settings.format),
                tags=found.tags,
                sum_exact=bool(settings.sum_exact),
            ),
            analyze=True,
            device=separator.device,
            on_progress=on_progress,
        )
    except MashupError as error:
        message = error.message.replace(str(decoded), song.source.name)
        raise type(error)(message.replace(str(song.file), song.source.name)) from error


def _stem(stem: StemFile, prefix: str, settings: SeedSettings) -> SeedStem:
    name = stem.path.name
    return SeedStem(
        kind=stem.kind,
        key=f"{prefix}/{name}",
        format=settings.format,
        bytes=stem.path.stat().st_size,
        sha256=file_sha256(stem.path),
        duration_s=round(stem.duration_s, 6),
        loudness_lufs=None if stem.loudness_lufs is None else round(stem.loudness_lufs, 2),
        peaks_key=f"{prefix}/{waveform_name(name)}",
    )
