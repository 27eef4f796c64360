"""Tags of a song that its stems and masters inherit: names, numbers, date, genre, cover.

Other tags are not copied. Gains (ReplayGain, Sound Check), peaks, tempo, key, lengths, encoder
settings, digests and comments describe the file that they are in, and identifiers such as the ISRC
its recording; of a stem or a master they would be wrong.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from mashup_worker.vocabulary import COMPLEMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_COVER_BYTES = 2_000_000
"""Size of the largest cover that is copied: each stem of a song contains it."""

MAX_TEXT_LETTERS = 200
_MAX_NUMBER = 9_999
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"""Media types of covers by their first bytes; players show no others reliably."""


@dataclass(frozen=True, kw_only=True)
class SongTags:
    """Tags of a song; None where it has none.

    Texts are one line, numbers count from 1, and the date is a year, or a day as 2024-05-31.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    track: int | None = None
    track_total: int | None = None
    date: str | None = None
    genre: str | None = None
    cover: bytes | None = None

    @staticmethod
    def of(values: Mapping[str, Any]) -> SongTags:
        """Return tags of untrusted values by name, cleaned; unusable values are left out."""
        date = _DATE.match(_text(values.get("date")) or "")
        cover = values.get("cover")
        return SongTags(
            title=_text(values.get("title")),
            artist=_text(values.get("artist")),
            album=_text(values.get("album")),
            album_artist=_text(values.get("album_artist")),
            track=_number(values.get("track")),
            track_total=_number(values.get("track_total")),
            genre=_text(values.get("genre")),
            date=date[0] if date else None,
            cover=cover if isinstance(cover, bytes) and _is_cover(cover) else None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no tag is set."""
        return all(getattr(self, one.name) is None for one in fields(self))

    @property
    def cover_type(self) -> str:
        """Media type of the cover."""
        return media_type_of(self.cover or b"") or ""

    def of_stem(self, kind: str) -> SongTags:
        """Return the tags of a stem, whose title names it: `Song (vocals)`, `Song (no vocals)`."""
        if self.title is None:
            return self
        return replace(self, title=f"{self.title} ({_words(kind)})")

    def texts(self) -> dict[str, str]:
        """Return all tags but the cover, by name, as text."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: str(value) for name, value in named if value is not None and name != "cover"}


NO_TAGS = SongTags()


@dataclass(frozen=True)
class FoundTags:
    """Tags that were read from a file, and what of them is left out."""

    tags: SongTags = NO_TAGS
    warnings: tuple[str, ...] = ()


def media_type_of(image: bytes) -> str | None:
    """Return the media type of a JPEG or PNG; None for anything else."""
    return next((name for magic, name in _IMAGES.items() if image.startswith(magic)), None)


def encode_cover(cover: bytes) -> str:
    """Return a cover as text, for messages."""
    return base64.b64encode(cover).decode()


def decode_cover(text: str) -> bytes:
    """Return the cover in a message; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _is_cover(data: bytes) -> bool:
    return len(data) <= MAX_COVER_BYTES and media_type_of(data) is not None


def _text(value: object) -> str | None:
    """Return untrusted text on one line, without control characters; None for no text."""
    if not isinstance(value, str):
        return None
    words = " ".join(value[: 4 * MAX_TEXT_LETTERS].split())
    clean = "".join(letter for letter in words if letter.isprintable())
    return clean[:MAX_TEXT_LETTERS].strip() or None


def _number(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value <= _MAX_NUMBER else None


def _words(kind: str) -> str:
    without = kind.removeprefix(COMPLEMENT_PREFIX)
    return kind if without == kind else f"no {without}"
