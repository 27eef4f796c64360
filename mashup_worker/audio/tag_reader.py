"""Reading of tags: ID3, Vorbis comments, MP4, RIFF INFO, AIFF and ASF by tinytag, and APEv2.

Tags of untrusted files are read in the process that decodes them (see `sandbox`).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.song_tags import MAX_COVER_BYTES, FoundTags, SongTags, media_type_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TINYTAG_NAMES = {"albumartist": "album_artist", "year": "date"}
_SEVERAL = ("artist", "genre")
_MAX_VALUES = 8
_FRONT = "front_cover"

_APE_FOOTER = b"APETAGEX"
_APE_FOOTER_BYTES, _ID3V1_BYTES = 32, 128
_MAX_APE_BYTES, _MAX_APE_ITEMS = 1 << 24, 1_000
_APE_NAMES = {
    **{name: name for name in ("title", "artist", "album", "genre", "track")},
    "album artist": "album_artist",
    "year": "date",
    "isrc": "isrc",
    "cover art (front)": "cover",
}
_NUMBERS = re.compile(r"\s*(\d{1,4})\s*(?:/\s*(\d{1,4}))?")


def read_tags(path: Path) -> FoundTags:
    """Return the tags of an audio file; none where it has none or they are damaged."""
    values: dict[str, Any] = {}
    for read in (_ape_values, _tinytag_values):
        with suppress(Exception):  # tags of any content must not prevent the work on the sound
            values |= read(path)
    covers = values.pop("covers", [])
    cover = next((one for one in covers if media_type_of(one) is not None), None)
    if cover is not None and len(cover) > MAX_COVER_BYTES:
        limit = f"{MAX_COVER_BYTES / 1e6:g} MB"
        warning = f"its cover of {len(cover) / 1e6:.1f} MB is left out; the limit is {limit}"
        return FoundTags(SongTags.of(values), (warning,))
    return FoundTags(SongTags.of({**values, "cover": cover}))


def _tinytag_values(path: Path) -> dict[str, Any]:
    from tinytag import TinyTag

    found = TinyTag.get(path, duration=False, image=True)
    values: dict[str, Any] = {}
    for name in (
        "title",
        "artist",
        "album",
        "albumartist",
        "genre",
        "year",
        "track",
        "track_total",
    ):
        value = getattr(found, name)
        if name in _SEVERAL and isinstance(value, str):
            value = "; ".join(dict.fromkeys([value, *found.other.get(name, [])][:_MAX_VALUES]))
        if value is not None:
            values[_TINYTAG_NAMES.get(name, name)] = value
    if isrc := found.other.get("isrc"):
        values["isrc"] = isrc[0]
    images = found.images.as_dict()
    names = sorted(images, key=lambda name: name != _FRONT)
    covers = [image.data for name in names for image in images[name]]
    return {**values, "covers": covers} if covers else values


def _ape_values(path: Path) -> dict[str, Any]:
    """Return the values of an APEv2 tag at the end of a file, before an ID3v1 tag if there is one.

    Source: https://wiki.hydrogenaudio.org/index.php?title=APEv2_specification
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for end in (size, size - _ID3V1_BYTES):
            if end < _APE_FOOTER_BYTES:
                break
            file.seek(end - _APE_FOOTER_BYTES)
            footer = file.read(_APE_FOOTER_BYTES)
            length = int.from_bytes(footer[12:16], "little") - _APE_FOOTER_BYTES
            if footer.startswith(_APE_FOOTER) and 0 < length <= min(
                end - _APE_FOOTER_BYTES, _MAX_APE_BYTES
            ):
                file.seek(end - _APE_FOOTER_BYTES - length)
                return _ape_fields(file.read(length))
    return {}


def _ape_fields(data: bytes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in _ape_items(data):
        name = _APE_NAMES.get(key)
        if name == "cover":
            values["covers"] = [value.partition(b"\0")[2]]  # after a file name
        elif name == "track":
            if numbers := _NUMBERS.match(value.decode("utf-8", "replace")):
                values["track"] = int(numbers[1])
                values["track_total"] = int(numbers[2]) if numbers[2] else None
        elif name is not None:
            parts = value.decode("utf-8", "replace").split("\0")
            values[name] = "; ".join(parts[:_MAX_VALUES])
    return values


def _ape_items(data: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    for _ in range(_MAX_APE_ITEMS):
        end = data.find(b"\0", position + 8)
        if end < 0:
            return
        length = int.from_bytes(data[position : position + 4], "little")
        key = data[position + 8 : end].decode("latin-1").lower()
        yield key, data[end + 1 : end + 1 + length]
        position = end + 1 + length
