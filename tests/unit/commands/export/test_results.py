"""Results of earlier commands that are exported."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from mashup_worker.commands.export.results import find_results
from mashup_worker.commands.shared.inputs import find_songs
from mashup_worker.errors import InvalidInput
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


SECTION = {"start_s": 0.0, "stop_s": 8.0, "label": "A", "confidence": 1.0}
LOOP = {"start_s": 0.0, "stop_s": 8.0, "bars": 4, "confidence": 1.0}
CUE = {"time_s": 1.0, "kind": "drop", "confidence": 1.0}


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"key": "H minor"}, "key: unknown key 'H minor'; use one of "),
        ({"time_signature": "3-4"}, "time_signature: no time signature such as 4/4"),
        ({"beats_per_bar": 0}, "beats_per_bar: less than 1"),
        ({"tempo_bpm": 0.0}, "tempo_bpm: less than 1 BPM, or no number"),
        ({"duration_s": float("nan")}, "duration_s: no duration"),
        ({"beats_s": [1.0, 1.0, 2.0]}, "beats_s: times that do not rise"),
        ({"downbeats_s": [1.0, float("nan")]}, "downbeats_s: times that do not rise"),
        ({"beats_s": "fast"}, "beats_s: Input should be a valid tuple"),
        ({"sections": [SECTION | {"stop_s": 0.0}]}, "sections.0.stop_s: not after start_s"),
        ({"sections": [SECTION | {"label": "A\0"}]}, "sections.0.label: letters that cannot be"),
        ({"loops": [LOOP | {"bars": 0}]}, "loops.0.bars: less than 1"),
        ({"cue_points": [CUE | {"time_s": float("inf")}]}, "cue_points.0.time_s: no number"),
    ],
)
def test_an_analysis_edited_by_hand_is_one_clear_line(
    tmp_path: Path, values: dict[str, object], message: str
) -> None:
    path = tmp_path / "night.json"
    analysis = {"duration_s": 20.0, "sections": [SECTION], "loops": [LOOP], "cue_points": [CUE]}
    document = {"source": {"path": "night.wav"}, "analysis": analysis}
    path.write_text(json.dumps(document))
    assert find_results([str(path)], tmp_path / "out", lambda _: None)[0].analysis is not None
    path.write_text(json.dumps(document | {"analysis": analysis | values}))
    with pytest.raises(InvalidInput, match=f"^{re.escape(f'{path}: {message}')}"):
        find_results([str(path)], tmp_path / "out", lambda _: None)
