"""Results of earlier commands that are exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.commands.export.results import find_results
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.seed.record import SeedRecord, SeedSettings, SeedSource, SeedStem

if TYPE_CHECKING:
    from pathlib import Path


def record(*kinds: str) -> SeedRecord:
    """Return the record of a song that `mashup reprocess` has separated and exported."""
    settings = SeedSettings(model="lite", export=("click", "native-stem"))
    folder = f"songs/{'0' * 64}/{settings.digest}"
    stems = [
        SeedStem(
            kind=kind,
            key=f"{folder}/{kind}.flac",
            format="flac",
            bytes=1,
            sha256="",
            duration_s=1.0,
            loudness_lufs=None,
            peaks_key=f"{folder}/{kind}.peaks.json",
        )
        for kind in kinds
    ]
    return SeedRecord(
        sha256="0" * 64,
        title="Night",
        sources=(SeedSource(name="Night.mp3", bytes=1),),
        settings=settings,
        duration_s=1.0,
        stems=tuple(stems),
        analysis={},
        model={},
        timings_s={},
        made_at="",
        exports={
            "click": f"{folder}/export-click.wav",
            "native-stem": f"{folder}/export-native-stem.stem.m4a",
        },
    )


def test_songs_of_a_library_have_their_titles_and_their_exports_are_no_songs(
    tmp_path: Path,
) -> None:
    library = record("vocals", "drums")
    folder = tmp_path / library.folder
    folder.mkdir(parents=True)
    (folder / "song.json").write_text(library.to_line())
    for key in (*(stem.key for stem in library.stems), *library.exports.values()):
        (tmp_path / key).touch()
    (result,) = find_results([str(tmp_path)], tmp_path / "out", lambda _: None)
    assert (result.song.track, set(result.song.stems)) == ("Night", {"vocals", "drums"})
    (left,) = find_songs([str(tmp_path)]).songs
    assert left.problem is not None
    assert "only stems of earlier runs" in left.problem
