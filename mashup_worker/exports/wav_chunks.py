"""WAV files with the chunks of samplers and editors: markers, regions, loops, tempo and root note.

Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991
(`cue `, `LIST` with `labl` and `ltxt`), "RIFF MCI: New Multimedia Data Types and Data Techniques",
1994 (`smpl`), and the chunk `acid` as ACID writes it, which was never published.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack
from typing import TYPE_CHECKING

from mashup_worker.analysis.key_names import KEYS
from mashup_worker.audio.riff_writer import chunk
from mashup_worker.exports.song import write_audio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.exports.markers import Marker
    from mashup_worker.exports.song import ExportSong

_MIDDLE_C = 60
_FOREVER = 0
_ACID_HAS_ROOT, _ACID_STRETCHES, _ACID_FROM_DISK = 0x02, 0x04, 0x08


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """Beats of a file: their number, tempo and meter."""

    beats: int
    tempo_bpm: float
    numerator: int
    denominator: int


def write_wav(song: ExportSong, folder: Path) -> list[Path]:
    """Write a song as WAV with its markers, root note and tempo.

    The name differs from that of the song, which may lie in the same folder.

    Raises:
        StorageFailed: the file cannot be written.
        InvalidInput: the song cannot be decoded, or is too long for WAV.
    """
    target, mix, beats = folder / f"{song.name} markers.wav", song.mix, song.tempo_map
    chunks = marker_chunks(song.markers, mix.sample_rate, mix.length_samples)
    chunks.append(sampler_chunk(mix.sample_rate, song.key))
    if beats is not None:
        rhythm = Rhythm(
            beats=round(beats.tempo_bpm * mix.duration_s / 60),
            tempo_bpm=beats.tempo_bpm,
            numerator=beats.numerator,
            denominator=beats.denominator,
        )
        chunks.append(acid_chunk(rhythm, song.key, is_loop=False))
    write_audio(target, mix, song.music_tags, chunks=chunks)
    return [target]


def marker_chunks(markers: Sequence[Marker], sample_rate: int, length_samples: int) -> list[bytes]:
    """Return the chunks of markers inside the sound: positions, names, and lengths of sections."""
    points, texts = b"", b""
    count = 0
    for marker in markers:
        start = round(marker.start_s * sample_rate)
        if not 0 <= start < length_samples:
            continue
        count += 1
        points += pack("<II4sIII", count, start, b"data", 0, 0, start)
        texts += chunk(b"labl", pack("<I", count) + marker.name.encode() + b"\0")
        if marker.stop_s is not None:
            length = min(round(marker.stop_s * sample_rate), length_samples) - start
            texts += chunk(b"ltxt", pack("<II4sHHHH", count, length, b"rgn ", 0, 0, 0, 0))
    if not count:
        return []
    return [chunk(b"cue ", pack("<I", count) + points), chunk(b"LIST", b"adtl" + texts)]


def sampler_chunk(sample_rate: int, key: str | None, loop: range | None = None) -> bytes:
    """Return the chunk of samplers: the root note, and samples that repeat forever."""
    loops = b"" if loop is None else pack("<IIIIII", 1, 0, loop.start, loop.stop - 1, 0, _FOREVER)
    period_ns = round(1e9 / sample_rate)
    head = pack("<IIIIIIIII", 0, 0, period_ns, root_note(key), 0, 0, 0, len(loops) // 24, 0)
    return chunk(b"smpl", head + loops)


def acid_chunk(rhythm: Rhythm, key: str | None, *, is_loop: bool) -> bytes:
    """Return the chunk of tempo and beats."""
    flags = _ACID_STRETCHES | (0 if is_loop else _ACID_FROM_DISK)
    flags |= 0 if key is None else _ACID_HAS_ROOT
    meter = pack("<HH", rhythm.denominator, rhythm.numerator)
    head = pack("<IHHfI", flags, root_note(key), 0x8000, 0.0, rhythm.beats)
    return chunk(b"acid", head + meter + pack("<f", rhythm.tempo_bpm))


def root_note(key: str | None) -> int:
    """Return the MIDI note of a key's tonic in the octave of middle C; middle C without a key."""
    return _MIDDLE_C + (0 if key is None else KEYS.index(key) % 12)
