"""Archives of projects: documents and audio in one ZIP file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.exports.dawproject.document import metadata_xml, project_xml
from mashup_worker.exports.dawproject.mashup import mashup_project
from mashup_worker.exports.dawproject.separated import separated_project
from mashup_worker.exports.song import write_audio
from mashup_worker.system.files import atomic_path, cannot_write, scratch_beside

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.exports.dawproject.project import AudioFile, Project
    from mashup_worker.exports.song import ExportSong

_TIME = (1980, 1, 1, 0, 0, 0)
"""Time of all files, so that the same project gives the same archive."""


def write_dawproject(song: ExportSong, folder: Path) -> list[Path]:
    """Write the project of a mashup or of a separated song.

    Raises:
        InvalidInput: the song has no stems, or the audio of a mashup is missing.
        StorageFailed: the file cannot be written.
    """
    project = separated_project(song) if song.plan is None else mashup_project(song)
    target = folder / f"{song.name}.dawproject"
    with atomic_path(target) as temporary, scratch_beside(target) as scratch:
        try:
            with zipfile.ZipFile(temporary, "x") as archive:
                archive.writestr(zipfile.ZipInfo("project.xml", _TIME), project_xml(project))
                archive.writestr(zipfile.ZipInfo("metadata.xml", _TIME), metadata_xml(project.tags))
                _add_audio(archive, project, target, scratch)
        except OSError as error:
            raise cannot_write(target, error) from error
    return [target]


def _add_audio(archive: zipfile.ZipFile, project: Project, whole: Path, scratch: Path) -> None:
    for number, file in enumerate(project.files):
        path = scratch / f"{number}.wav"
        write_audio(whole, file.audio, NO_TAGS, _options(file), temporary=path)
        entry = zipfile.ZipInfo(file.path, _TIME)
        entry.file_size = path.stat().st_size
        with path.open("rb") as source, archive.open(entry, "w") as target:
            while block := source.read(1 << 20):
                target.write(block)
        path.unlink()


def _options(file: AudioFile) -> EncodeOptions:
    """Return 24 bits, or floats for audio beyond full scale."""
    peak = float(file.audio.samples.abs().max()) if file.audio.length_samples else 0.0
    return EncodeOptions("wav", 32 if peak >= 1.0 else 24)
