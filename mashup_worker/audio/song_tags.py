"""Tags of a song that its stems and masters inherit: names, numbers, date, genre, ISRC, cover.

Other tags are not copied. Gains (ReplayGain, Sound Check), peaks, lengths, encoder settings,
digests and comments describe the file that they are in; of a stem or a master they would be wrong.
Results get the tempo and the key that were found in their own sound.
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
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", re.ASCII)
_IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"""Media types of covers by their first bytes; players show no others reliably."""


@dataclass(frozen=True, kw_only=True)
class SongTags:
    """Tags of a song; None where it has none.

    Texts are one line, numbers count from 1, and the date is a year, or a day as 2024-05-31.

    Attributes:
        isrc: code of the recording, 12 letters and digits.
        tempo_bpm, key, comment: of results only, never inherited; the key as `Am` or `F#`.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    track: int | None = None
    track_total: int | None = None
    date: str | None = None
    genre: str | None = None
    isrc: str | None = None
    cover: bytes | None = None
    tempo_bpm: float | None = None
    key: str | None = None
    comment: str | None = None

    @staticmethod
    def of(values: Mapping[str, Any]) -> SongTags:
        """Return tags of untrusted values by name, cleaned; unusable values are left out."""
        date = _DATE.match(_text(values.get("date")) or "")
        isrc = (_text(values.get("isrc")) or "").replace("-", "").upper()
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
            isrc=isrc if _ISRC.fullmatch(isrc) else None,
            cover=cover if isinstance(cover, bytes) and _is_cover(cover) else None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no tag is set."""
        return all(getattr(self, one.name) is None for one in fields(self))

    @property
    def year(self) -> str | None:
        """Year of the date."""
        return None if self.date is None else self.date[:4]

    @property
    def cover_type(self) -> str:
        """Media type of the cover."""
        return media_type_of(self.cover or b"") or ""

    def of_stem(self, kind: str) -> SongTags:
        """Return the tags of a stem, whose title names it: `Song (vocals)`, `Song (no vocals)`."""
        if self.title is None:
            return self
        return replace(self, title=f"{self.title} ({stem_words(kind)})")

    def of_song(self, kind: str) -> SongTags:
        """Return the tags of the song of a stem that has these tags; undoes `of_stem`."""
        if self.title is None:
            return self
        return replace(self, title=self.title.removesuffix(f" ({stem_words(kind)})"))

    def with_music(self, tempo_bpm: float | None, key: str | None, camelot: str | None) -> SongTags:
        """Return the tags with tempo and key, and a comment of both, as players of DJs show it.

        Args:
            tempo_bpm: beats per minute.
            key: tonic and mode, such as `"A minor"`.
            camelot: position on the Camelot wheel, such as `"8A"`, for which no format has a field.
        """
        tempo = None if tempo_bpm is None else f"{tempo_bpm:.2f} BPM"
        return replace(
            self,
            tempo_bpm=tempo_bpm,
            key=None if key is None else key.replace(" major", "").replace(" minor", "m"),
            comment=", ".join(text for text in (camelot, tempo) if text) or None,
        )

    def texts(self) -> dict[str, str]:
        """Return all tags but the cover, by name, as text."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        texts = {name: str(value) for name, value in named if value is not None and name != "cover"}
        if self.tempo_bpm is not None:
            texts["tempo_bpm"] = f"{self.tempo_bpm:.2f}".rstrip("0").rstrip(".")
        return texts


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


def stem_words(kind: str) -> str:
    """Return a kind of stem as titles have it: `vocals`, `no vocals`."""
    without = kind.removeprefix(COMPLEMENT_PREFIX)
    return kind if without == kind else f"no {without}"
