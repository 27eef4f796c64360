"""Collections for rekordbox: tracks with beat grid, key, hot cues and memory cues, as XML.

Source: "rekordbox XML format list" at https://rekordbox.com/en/support/developer/.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET

from mashup_worker import __version__
from mashup_worker.audio.probe import probe
from mashup_worker.exports.collection import entries_of, playing_path
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.exports.collection import Entry
    from mashup_worker.exports.markers import Marker
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.exports.tempo_map import TempoMap


COLLECTION_NAME = "rekordbox.xml"

_TOLERANCE_S = 4e-4
"""With the rounding of starts to milliseconds, beats stay within one millisecond."""

_HOT_CUES = 8
_CUE_TYPE = "0"
_COLORS = ((40, 226, 20), (255, 140, 0), (48, 90, 255), (222, 68, 207))


def write_collection(
    songs: Sequence[ExportSong], folder: Path, root: str | None = None
) -> list[Path]:
    """Write a collection of songs, with a playlist of all of them.

    Args:
        songs: the songs.
        folder: folder of the file.
        root: that folder on the computer that imports the collection; None for this one.

    Raises:
        InvalidInput: a song has no file.
        StorageFailed: the collection cannot be written.
    """
    entries = entries_of(songs)
    top = ET.Element("DJ_PLAYLISTS", Version="1.0.0")
    ET.SubElement(top, "PRODUCT", Name="mashup-worker", Version=__version__, Company="")
    collection = ET.SubElement(top, "COLLECTION", Entries=str(len(entries)))
    for number, entry in enumerate(entries, 1):
        _add_track(collection, number, entry, playing_path(entry.path, folder, root))
    lists = ET.SubElement(ET.SubElement(top, "PLAYLISTS"), "NODE", Type="0", Name="ROOT", Count="1")
    node = ET.SubElement(
        lists, "NODE", Name="mashup-worker", Type="1", KeyType="0", Entries=str(len(entries))
    )
    for number in range(1, len(entries) + 1):
        ET.SubElement(node, "TRACK", Key=str(number))
    ET.indent(top)
    target = folder / COLLECTION_NAME
    write_atomically(target, ET.tostring(top, "UTF-8", xml_declaration=True) + b"\n")
    return [target]


def _add_track(collection: ET.Element, number: int, entry: Entry, path: str) -> None:
    info, tags = probe(entry.path), entry.tags
    values: dict[str, object] = {
        "TrackID": number,
        "Name": entry.title,
        "Artist": tags.artist,
        "Album": tags.album,
        "Genre": tags.genre,
        "Kind": f"{entry.path.suffix[1:].upper()} File",
        "Size": entry.path.stat().st_size,
        "TotalTime": None if info.claimed_duration_s is None else int(info.claimed_duration_s),
        "TrackNumber": tags.track,
        "Year": tags.year,
        "AverageBpm": None if tags.tempo_bpm is None else f"{tags.tempo_bpm:.2f}",
        "SampleRate": info.sample_rate,
        "Comments": tags.comment,
        "Tonality": tags.key,
        # A path in a network keeps the second of its two slashes.
        "Location": f"file://localhost/{quote(os.fsencode(path.removeprefix('/')), safe='/:')}",
    }
    texts = {name: str(value) for name, value in values.items() if value is not None}
    track = ET.SubElement(collection, "TRACK", texts)
    if entry.song.tempo_map is not None:
        _add_grid(track, entry.song.tempo_map)
    _add_cues(track, entry.song.markers)


def _add_grid(track: ET.Element, beats: TempoMap) -> None:
    """Add the beat grid: a tempo of two decimals wherever beats would drift from the last."""
    segments = beats.segments(
        _TOLERANCE_S,
        first=beats.first_inside,
        breaks=[start for start, _ in beats.bar_lengths[1:]],  # of bars of another length
        representable=lambda bpm: round(bpm, 2),
        stamp=lambda time_s: round(time_s, 3),
    )
    for one in segments:
        ET.SubElement(
            track,
            "TEMPO",
            Inizio=f"{one.start_s:.3f}",
            Bpm=f"{one.tempo_bpm:.2f}",
            Metro=f"{beats.bar_length(one.beat)}/4",  # a beat of ours is one of rekordbox
            Battito=str(beats.number_in_bar(one.beat)),
        )


def _add_cues(track: ET.Element, markers: Sequence[Marker]) -> None:
    """Add hot cues at the first eight sections and hot cues, and memory cues at all others."""
    hot = 0
    for marker in markers:
        if marker.start_s < 0:
            continue
        cue = {"Name": marker.name, "Type": _CUE_TYPE, "Start": f"{marker.start_s:.3f}"}
        if marker.kind == "memory cue" or hot == _HOT_CUES:
            ET.SubElement(track, "POSITION_MARK", cue, Num="-1")
            continue
        red, green, blue = map(str, _COLORS[hot % len(_COLORS)])
        ET.SubElement(track, "POSITION_MARK", cue, Num=str(hot), Red=red, Green=green, Blue=blue)
        hot += 1
