"""Records of separations: which song the stems beside them are of, and how they were made.

A record is written twice: just before the stems replace their files, without the new ones, and
after that with them. A run that is killed in between leaves stems that no record lists as complete.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from mashup_worker.commands.shared.names import utf8_name
from mashup_worker.commands.shared.song_source import SongSource
from mashup_worker.seed.record import SeedRecord
from mashup_worker.vocabulary import FormatName

if TYPE_CHECKING:
    from pathlib import Path


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StemSettings(_Stored):
    """Settings that determine the stems of a song, as they were requested.

    Attributes:
        model: name of the model that was used.
        weights_sha256: digest of its checkpoints if it is not one of the catalogue.
        stems: kinds of the stems, sorted; all share one gain.
    """

    model: str
    weights_sha256: str | None
    stems: tuple[str, ...]
    format: FormatName
    bit_depth: int
    bitrate_kbps: int | None
    precision: str
    shifts: int
    seed: int
    overlap: float | None
    sum_exact: bool = False


class StemSet(_Stored):
    """Stems of one separation: sizes in bytes by path relative to the record.

    Attributes:
        model_license: license of the model's weights, as `License.as_dict` returns it.
    """

    settings: StemSettings
    model_license: dict[str, str] = {}
    files: dict[str, int]


class StemRecord(_Stored):
    """Stems beside a record, `separation.json`, by paths relative to it.

    Attributes:
        source: the song.
        sets: complete stems of the song.
        incomplete: files of the song that belong to no complete stems, or are being replaced.
        others: stems of other songs, which were here before.
    """

    source: SongSource
    sets: tuple[StemSet, ...] = ()
    incomplete: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> StemRecord | None:
        """Read a record; return None if the file is missing or no record."""
        try:
            return cls.model_validate_json(path.read_bytes()) if path.is_file() else None
        except (OSError, ValidationError):
            return None

    @property
    def own_files(self) -> frozenset[str]:
        """Files of the song."""
        return self.incomplete.union(*(one.files for one in self.sets))

    def replaced(self, source: SongSource, names: frozenset[str]) -> StemRecord:
        """Return the record for the time in which stems of `source` replace the files `names`."""
        if not self.source.is_same_song(source):
            others = self.own_files | self.others
            return StemRecord(source=source, incomplete=names, others=others - names)
        is_same_content = self.source.sha256 == source.sha256
        kept = tuple(one for one in self.sets if is_same_content and names.isdisjoint(one.files))
        complete = frozenset[str]().union(*(one.files for one in kept))
        return StemRecord(
            source=source,
            sets=kept,
            incomplete=(self.own_files | names) - complete,
            others=self.others - names,
        )

    def completed(self, made: StemSet) -> StemRecord:
        """Return the record with one more set of complete stems."""
        incomplete = frozenset(self.incomplete - made.files.keys())
        return self.model_copy(update={"sets": (*self.sets, made), "incomplete": incomplete})

    def to_text(self) -> str:
        """Return the text of its file."""
        return f"{self.model_dump_json(indent=1)}\n"


def recorded_names(path: Path) -> frozenset[str]:
    """Return the files that a record lists, relative to its folder, and the record.

    The record may be one of `mashup reprocess`, too.
    """
    record = StemRecord.read(path)
    if record is not None:
        return record.own_files | record.others | {utf8_name(path.name)}
    try:
        seed = SeedRecord.from_line(path.read_bytes()) if path.is_file() else None
    except OSError:
        seed = None
    if seed is None:
        return frozenset()
    keys = [key for stem in seed.stems for key in (stem.key, stem.peaks_key)]
    keys += seed.exports.values()
    return frozenset((path.name, "analysis.json", *(PurePosixPath(key).name for key in keys)))
