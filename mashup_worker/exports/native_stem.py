"""Stem files of Native Instruments: a mix and four stems in one MP4, with names and colors.

Source: Native Instruments, "Stem creation guide" at https://www.native-instruments.com/stems, and
the box `stem` of files that its tools write: the document below, inside the user data.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F

from mashup_worker.audio.ffmpeg import ffmpeg_found
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.mp4_tags import box, write_user_data
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.errors import EngineUnavailable, InvalidInput, StorageFailed
from mashup_worker.exports.song import parts_of, require_tracks, summed, write_audio
from mashup_worker.system.files import atomic_path, cannot_write, scratch_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

Codec = Literal["aac", "alac"]

_SLOTS = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}
"""Stems in the order that players expect, with their colors."""

_MASTERING = {
    "compressor": {
        "enabled": False,
        "ratio": 3,
        "output_gain": 0.5,
        "release": 0.3,
        "attack": 0.003,
        "input_gain": 0.5,
        "threshold": 0,
        "hp_cutoff": 300,
        "dry_wet": 50,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}
"""Settings of a player's effects on the sum of the stems; both are off."""

_SAMPLE_RATE = 44_100
_NAMES: dict[Codec, str] = {"aac": "", "alac": " ALAC"}
_CODEC_OPTIONS: dict[Codec, tuple[str, ...]] = {
    "aac": ("-c:a", "aac", "-b:a", "256k"),
    "alac": ("-c:a", "alac", "-sample_fmt", "s16p"),
}


def write_native_stem(song: ExportSong, folder: Path, codec: Codec = "aac") -> list[Path]:
    """Write a stem file at 44.1 kHz, in AAC with 256 kbit/s or in ALAC with 16 bits.

    Stems other than vocals, drums and bass are summed; a missing stem is silent.

    Raises:
        EngineUnavailable: ffmpeg is not installed.
        InvalidInput: the song has no stems, or they cannot be decoded.
        StorageFailed: the file cannot be written.
    """
    if not ffmpeg_found():
        raise EngineUnavailable(
            "native-stem: ffmpeg is not installed; install it, or choose another format"
        )
    sounds = _sounds(song)
    target = folder / f"{song.name}{_NAMES[codec]}.stem.m4a"
    with atomic_path(target) as temporary, scratch_beside(target) as scratch:
        inputs = [scratch / f"{index}.wav" for index in range(len(sounds))]
        for path, sound in zip(inputs, sounds, strict=True):
            write_audio(target, sound, NO_TAGS, EncodeOptions("wav", 32), temporary=path)
        _encode(inputs, temporary, target, codec)
        try:
            with temporary.open("r+b") as file:
                write_user_data(file, song.music_tags, box(b"stem", _description()))
        except OSError as error:
            raise cannot_write(target, error) from error
    return [target]


def _sounds(song: ExportSong) -> list[Audio]:
    """Return the mix and four stems, stereo and of one length."""
    parts = parts_of(require_tracks(song, "a stem file"))
    if len(parts) < 2:
        raise InvalidInput(f"{song.title}: a single stem; separate all for a stem file")
    found = [song.mix]
    for slot in _SLOTS:
        own = [one for one in parts if (one.kind if one.kind in _SLOTS else "other") == slot]
        silence = Audio(torch.zeros(2, 0), found[0].sample_rate)
        found.append(summed(own, song.title) if own else silence)
    longest_s = max(one.duration_s for one in found)
    return [_stereo(one, round(longest_s * one.sample_rate)) for one in found]


def _stereo(audio: Audio, length_samples: int) -> Audio:
    samples = F.pad(audio.samples[:2], (0, length_samples - audio.length_samples))
    return Audio(samples.expand(2, -1).contiguous(), audio.sample_rate)


def _encode(inputs: Sequence[Path], temporary: Path, target: Path, codec: Codec) -> None:
    """Encode files into the streams of one file, of which plain players play the first."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-protocol_whitelist", "file,pipe"]
    for path in inputs:
        command += ["-f", "wav", "-i", f"file:{path}"]
    for index in range(len(inputs)):
        command += ["-map", f"{index}:a", f"-disposition:a:{index}", "0" if index else "default"]
    command += [*_CODEC_OPTIONS[codec], "-ar", str(_SAMPLE_RATE), "-map_metadata", "-1"]
    command += ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "ipod", f"file:{temporary}"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").splitlines()
        reason = lines[-1] if lines else f"exit code {error.returncode}"
        raise StorageFailed(f"{target}: cannot be written: ffmpeg: {reason}") from error


def _description() -> bytes:
    stems = [{"name": slot.capitalize(), "color": color} for slot, color in _SLOTS.items()]
    return json.dumps({"mastering_dsp": _MASTERING, "version": 1, "stems": stems}).encode()
