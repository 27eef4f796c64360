"""Paths of the stems of a song."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.folders import RECORD_STEM, RECORD_SUFFIX
from mashup_worker.commands.shared.names import fitting, folded, real_path
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.commands.shared.inputs import Song

FIELDS = ("track", "stem", "ext", "model")
DEFAULT_TEMPLATE = "{track}/{stem}.{ext}"


@dataclass
class Targets:
    """Assignment of file names to the stems of a run; no two songs share a name.

    Attributes:
        template: path of a stem below the folder, with the fields `{track}`, `{stem}`, `{ext}`,
            `{model}`.
        songs: inputs of the run, which must not be overwritten.
    """

    output_dir: Path
    template: str
    ext: str
    model: str
    songs: Sequence[Song]
    _taken: dict[str, Song] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            fields = [one for one in Formatter().parse(self.template) if one[1] is not None]
        except ValueError as error:
            raise InvalidInput(f"name template {self.template!r}: {error}") from error
        used = {name for _, name, _, _ in fields}
        plain = not any(spec or conversion for _, _, spec, conversion in fields)
        if "stem" not in used or not used <= set(FIELDS) or not plain:
            raise InvalidInput(
                f"name template {self.template!r}: invalid; use {{stem}}, and optionally "
                + ", ".join(f"{{{name}}}" for name in FIELDS)
            )

    def of(self, song: Song, kinds: Sequence[str]) -> dict[str, Path]:
        """Return the file of each stem.

        Raises:
            InvalidInput: a stem of another song, or a song itself, has the same path.
        """
        paths = {kind: self.output_dir / self._name(song, kind, self.ext) for kind in kinds}
        for path in paths.values():
            other = self._taken.setdefault(folded(path), song)
            if other is not song or len(set(paths.values())) < len(paths):
                raise InvalidInput(
                    f"{song.path}: its stems would overwrite those of {other.path}; name the "
                    "folder above both, or use another --name-template or --output-dir"
                )
            if folded(real_path(path)) in self._sources:
                raise InvalidInput(f"{song.path}: its stem {path} would overwrite a song")
        return paths

    def record_of(self, song: Song) -> Path:
        """Return the path of the record of a song, which is named like one more stem."""
        name = self._name(song, RECORD_STEM, RECORD_SUFFIX.removeprefix("."))
        if name.suffix != RECORD_SUFFIX:
            name = name.with_name(fitting(name.name, RECORD_SUFFIX))
        return self.output_dir / name

    def _name(self, song: Song, kind: str, ext: str) -> Path:
        name = Path(self.template.format(track=song.track, stem=kind, ext=ext, model=self.model))
        if name.is_absolute() or ".." in name.parts:
            raise InvalidInput(f"{song.path}: the name {name} leads out of the output folder")
        return name

    @cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(folded(real_path(song.path)) for song in self.songs)
