"""Tags of songs: read from every kind of file, written to every format, and harmless."""

from __future__ import annotations

import io
import struct
import subprocess
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from tinytag import TinyTag

from mashup_worker.audio.decode import decode, open_decoder
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import MAX_COVER_BYTES, NO_TAGS, SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.audio.tag_writers import write_tags
from mashup_worker.vocabulary import FORMATS
from tests.unit.audio_fixtures import ffmpeg, mp3, music, needs_ffmpeg, write

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.vocabulary import FormatName


def image(kind: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


JPEG, PNG = image("jpeg"), image("png")
ALL = SongTags(
    title="Söng 😀",
    artist="Ärtist; Other",
    album="Album",
    album_artist="Various",
    track=3,
    track_total=12,
    date="2024-05-31",
    genre="House",
    isrc="GBAYE6800011",
    cover=JPEG,
)
RESULT = ALL.with_music(127.534, "F# minor", "11A")
"""Tags of a result, whose own tempo and key are known."""


def tagged(path: Path, tags: SongTags) -> Path:
    """Write a second of music with tags."""
    sound = music(1.0)
    options = EncodeOptions(path.suffix[1:])  # type: ignore[arg-type]
    with open_writer(path, options, sample_rate=44_100, channels=2, tags=tags) as writer:
        writer.write(sound.samples)
    return path


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "tags",
    [
        ALL,
        SongTags(title="T"),
        SongTags(track=7, date="1999"),
        SongTags(cover=PNG),
        SongTags(title="x" * 200, cover=b"\xff\xd8\xff" + bytes(300_000)),
        SongTags(cover=b"\xff\xd8\xff" + bytes(MAX_COVER_BYTES - 3)),
    ],
)
def test_written_tags_are_read_and_the_sound_stays(
    tmp_path: Path, format_: FormatName, tags: SongTags
) -> None:
    path = tagged(tmp_path / f"tagged.{format_}", tags)
    found = read_tags(path)
    assert found.warnings == ()
    assert found.tags == _expected(tags, format_)
    plain = decode(tagged(tmp_path / f"plain.{format_}", NO_TAGS))
    with open_decoder(path) as decoder:
        samples = np.concatenate([block.numpy() for block in decoder.blocks()], axis=1)
        assert decoder.warnings == ()
    assert np.array_equal(samples, plain.samples.numpy())
    assert [one.name for one in sorted(tmp_path.iterdir())] == [
        f"plain.{format_}",
        f"tagged.{format_}",
    ]


def _expected(tags: SongTags, format_: str) -> SongTags:
    """Return tags as tinytag reads them: of an ID3v2.3 date it sees the year only."""
    values = vars(tags)
    if format_ == "mp3" and tags.date is not None:
        values = {**values, "date": tags.date[:4]}
    return SongTags(**values)


@needs_ffmpeg
@pytest.mark.parametrize("format_", FORMATS)
def test_other_programs_read_the_tags(tmp_path: Path, format_: FormatName) -> None:
    path = tagged(tmp_path / f"song.{format_}", ALL)
    entries = "format_tags:stream_tags:stream=codec_name,codec_type:stream_disposition=attached_pic"
    command = ["ffprobe", "-v", "error", "-show_entries", entries, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = done.stdout.lower()
    for text in ("tag:title=söng 😀", "tag:artist=ärtist; other", "tag:album=album", "house"):
        assert text in shown
    if format_ != "wav":  # ffmpeg reads no covers of WAV
        assert "attached_pic=1" in shown
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "ogg"])
def test_files_are_reproducible_and_without_tags_as_before(
    tmp_path: Path, format_: FormatName
) -> None:
    first, second = (tagged(tmp_path / f"{n}.{format_}", ALL).read_bytes() for n in "ab")
    assert first == second
    plain = tagged(tmp_path / f"c.{format_}", NO_TAGS).read_bytes()
    again = tmp_path / f"d.{format_}"
    with open_writer(again, EncodeOptions(format_), sample_rate=44_100, channels=2) as writer:
        writer.write(music(1.0).samples)
    assert plain == again.read_bytes()


def test_an_ogg_differs_in_nothing_but_its_serial(tmp_path: Path) -> None:
    path = tagged(tmp_path / "plain.ogg", NO_TAGS)
    files = [io.BytesIO(path.read_bytes()) for _ in range(2)]
    for file in files:
        write_tags(file, "ogg", ALL)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("format_", FORMATS)
def test_mutagen_reads_tempo_key_and_comment_in_the_fields_of_each_format(
    tmp_path: Path, format_: FormatName
) -> None:
    mutagen = pytest.importorskip("mutagen")
    file = mutagen.File(tagged(tmp_path / f"song.{format_}", RESULT))
    if format_ in ("mp3", "wav"):
        names = {"isrc": "TSRC", "tempo": "TBPM", "key": "TKEY", "comment": "COMM::eng"}
        found = {name: file.tags[frame].text[0] for name, frame in names.items()}
        found |= {"title": file.tags["TIT2"].text[0], "cover": file.tags["APIC:"].data}
    else:
        names = {"isrc": "ISRC", "tempo": "BPM", "key": "INITIALKEY", "comment": "COMMENT"}
        found = {name: file.tags[field][0] for name, field in names.items()}
        found |= {"title": file.tags["TITLE"][0], "cover": JPEG}
    assert found == {
        "title": "Söng 😀",
        "isrc": "GBAYE6800011",
        "tempo": "127.53",
        "key": "F#m",
        "comment": "11A, 127.53 BPM",
        "cover": JPEG,
    }


@needs_ffmpeg
@pytest.mark.parametrize("format_", FORMATS)
def test_ffprobe_reads_tempo_key_and_comment(tmp_path: Path, format_: FormatName) -> None:
    path = tagged(tmp_path / f"song.{format_}", RESULT)
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.lower()
    assert "comment=11a, 127.53 bpm" in shown
    if format_ != "wav":  # ffmpeg reads RIFF INFO only, which has no fields for them
        assert "=127.53\n" in shown
        assert "=f#m\n" in shown
        assert "=gbaye6800011\n" in shown


def test_tempo_and_key_of_a_file_are_not_inherited(tmp_path: Path) -> None:
    for format_ in FORMATS:
        assert read_tags(tagged(tmp_path / f"song.{format_}", RESULT)).tags.comment is None
    assert NO_TAGS.with_music(None, None, None) == NO_TAGS
    assert NO_TAGS.with_music(120.0, None, None).texts() == {
        "tempo_bpm": "120",
        "comment": "120.00 BPM",
    }


@pytest.mark.parametrize(
    ("written", "read"), [("gb-aye-68-00011", "GBAYE6800011"), ("GBAYE68", None), ("x" * 12, None)]
)
def test_an_isrc_is_taken_in_its_plain_form(written: str, read: str | None) -> None:
    assert SongTags.of({"isrc": written}).isrc == read


def test_titles_name_the_stem() -> None:
    assert ALL.of_stem("vocals").title == "Söng 😀 (vocals)"
    assert ALL.of_stem("no_vocals").title == "Söng 😀 (no vocals)"
    assert ALL.of_stem("drums").cover == JPEG
    untitled = SongTags(artist="A")
    assert untitled.of_stem("drums") == untitled
    for one in (ALL, untitled):
        assert one.of_stem("no_vocals").of_song("no_vocals") == one


# ----------------------------------------------------------------------------- sources


def vorbis_flac(path: Path, comments: list[bytes]) -> Path:
    write(path, music(0.5))
    data = path.read_bytes()
    body = struct.pack("<I", 0) + struct.pack("<I", len(comments))
    body += b"".join(struct.pack("<I", len(one)) + one for one in comments)
    block = bytes((4,)) + len(body).to_bytes(3, "big") + body
    path.write_bytes(data[:4] + bytes((0,)) + data[5:42] + block + data[42:])
    return path


def id3v1(**texts: str) -> bytes:
    fields = [texts.get(name, "").encode("latin-1") for name in ("title", "artist", "album")]
    return b"TAG" + b"".join(one.ljust(30, b"\0") for one in fields) + b"2001" + bytes(31)


def ape(items: dict[str, bytes]) -> bytes:
    body = b"".join(
        struct.pack("<II", len(value), 0) + key.encode() + b"\0" + value
        for key, value in items.items()
    )
    return (
        body + b"APETAGEX" + struct.pack("<IIII", 2_000, len(body) + 32, len(items), 0) + bytes(8)
    )


def test_id3v1(tmp_path: Path) -> None:
    path = mp3(tmp_path / "song.mp3", music(1.0))
    path.write_bytes(path.read_bytes() + id3v1(title="Old", artist="Band"))
    found = read_tags(path).tags
    assert (found.title, found.artist, found.date) == ("Old", "Band", "2001")


@pytest.mark.parametrize("behind", [b"", id3v1(title="Old")])
def test_apev2(tmp_path: Path, behind: bytes) -> None:
    path = mp3(tmp_path / "song.mp3", music(1.0))
    items = {"Title": "Sönd".encode(), "Artist": b"One\0Two", "Track": b"4/9", "Year": b"2020"}
    items |= {"REPLAYGAIN_TRACK_GAIN": b"-7 dB", "Cover Art (Front)": b"cover.jpg\0" + JPEG}
    path.write_bytes(path.read_bytes() + ape(items) + behind)
    found = read_tags(path).tags
    assert found.artist == "One; Two"
    assert (found.title, found.date) == (("Old", "2001") if behind else ("Sönd", "2020"))
    assert (found.track, found.track_total, found.cover) == (4, 9, JPEG)


@needs_ffmpeg
@pytest.mark.parametrize("ending", ["mp3", "m4a", "aiff", "wav", "flac", "ogg", "opus", "wma"])
def test_tags_of_files_of_ffmpeg(tmp_path: Path, ending: str) -> None:
    values = {"title": "Söng", "artist": "A", "album": "Al", "genre": "House", "date": "2024"}
    values |= {"track": "3", "comment": "made by x", "TBPM": "128", "REPLAYGAIN_TRACK_GAIN": "-7"}
    options = [part for name, text in values.items() for part in ("-metadata", f"{name}={text}")]
    more = ("-write_id3v2", "1") if ending == "aiff" else ()
    path = ffmpeg(music(1.0), tmp_path / f"song.{ending}", *options, *more)
    found = read_tags(path).tags
    assert (found.title, found.artist, found.album) == ("Söng", "A", "Al")
    assert (found.genre, found.track) == ("House", 3)
    assert found.date == (None if ending == "wma" else "2024")  # ffmpeg's name of it is its own


def test_gains_tempo_and_keys_are_not_copied(tmp_path: Path) -> None:
    wrong = ["REPLAYGAIN_TRACK_GAIN=-7 dB", "REPLAYGAIN_ALBUM_PEAK=1", "BPM=128", "INITIALKEY=Am"]
    wrong += ["R128_TRACK_GAIN=256", "ISRC=XX", "COMMENT=Downloaded", "ENCODER=x", "TITLE=T"]
    source = vorbis_flac(tmp_path / "song.flac", [one.encode() for one in wrong])
    for format_ in FORMATS:
        path = tagged(tmp_path / f"stem.{format_}", read_tags(source).tags)
        shown = {**TinyTag.get(path).as_dict(), "filename": ""}
        text = str(shown).lower()
        assert "'t'" in text
        for name in ("gain", "peak", "bpm", "key", "isrc", "downloaded"):
            assert name not in text, (format_, name)


# ----------------------------------------------------------------------------- hostile tags


def test_a_huge_cover_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.mp3", ALL)
    body = b"\0image/jpeg\0\x03\0" + b"\xff\xd8\xff" + bytes(40_000_000)
    frame = b"APIC" + len(body).to_bytes(4, "big") + bytes(2) + body
    title = b"TIT2" + (3).to_bytes(4, "big") + bytes(2) + b"\0hi"
    size = len(frame + title)
    sized = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + sized + title + frame + path.read_bytes())
    found = read_tags(path)
    assert found.tags.cover is None
    assert found.tags.title is not None
    assert found.warnings == ("its cover of 40.0 MB is left out; the limit is 2 MB",)


@pytest.mark.parametrize(
    "comments",
    [
        [b"TITLE=\xff\xfe\xfd", b"ARTIST=\xc3\x28"],
        [b"ARTIST=%d" % n for n in range(5_000)],
        [b"TITLE=" + b"x" * 5_000_000],
        [b"TITLE=a\nb\x1b[31m\0c\xe2\x80\xae", b"TRACKNUMBER=99999999999999999999"],
        [b"TITLE", b"=", b"", b"TRACKNUMBER=-3/x", b"DATE=soon"],
        [b"METADATA_BLOCK_PICTURE=!!!", b"METADATA_BLOCK_PICTURE=AAAA"],
    ],
)
def test_odd_comments_give_short_clean_tags(tmp_path: Path, comments: list[bytes]) -> None:
    path = vorbis_flac(tmp_path / "song.flac", comments)
    found = read_tags(path)
    for text in found.tags.texts().values():
        assert len(text) <= 200
        assert text.isprintable()
    for format_ in FORMATS:
        stem = tagged(tmp_path / f"stem.{format_}", found.tags.of_stem("vocals"))
        assert read_tags(stem).warnings == ()
        assert stem.stat().st_size < 400_000


@pytest.mark.parametrize("number", range(40))
def test_damaged_tags_never_raise(tmp_path: Path, number: int) -> None:
    dice = np.random.default_rng(number)
    ending = ("mp3", "flac", "ogg", "wav")[number % 4]
    data = bytearray(tagged(tmp_path / f"song.{ending}", ALL).read_bytes())
    near = 2_000 if ending != "wav" else len(data)
    for _ in range(20):
        data[int(dice.integers(0, near)) if ending != "wav" else -int(dice.integers(1, 80_000))] = (
            int(dice.integers(0, 256))
        )
    path = tmp_path / f"damaged.{ending}"
    path.write_bytes(data)
    begin_s = time.process_time()
    found = read_tags(path)
    assert time.process_time() - begin_s < 5
    assert all(text.isprintable() for text in found.tags.texts().values())


def test_files_without_tags_have_none(tmp_path: Path) -> None:
    for path in (write(tmp_path / "song.wav", music(0.2)), tmp_path / "missing.mp3"):
        assert read_tags(path).tags == NO_TAGS
    text = tmp_path / "text.mp3"
    text.write_text("no music\n" * 100)
    assert read_tags(text).tags == NO_TAGS


@pytest.mark.parametrize(
    "values",
    [
        {"title": 5, "track": "3", "cover": "text", "date": None},
        {"title": "", "track": 0, "track_total": -1, "cover": b"GIF89a", "date": "31.5.2024"},
        {"track": True, "cover": b"\xff\xd8\xff" + bytes(MAX_COVER_BYTES)},
    ],
)
def test_unusable_values_are_left_out(values: dict[str, Any]) -> None:
    assert SongTags.of(values) == NO_TAGS


def test_stems_read_by_a_daw_have_info(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.wav", ALL)
    with soundfile.SoundFile(path) as file:
        assert (file.title, file.artist, file.album) == (ALL.title, ALL.artist, ALL.album)
    assert path.stat().st_size == 8 + int.from_bytes(path.read_bytes()[4:8], "little")
