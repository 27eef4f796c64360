"""Folders of stems for any DAW: WAV files that begin with bar 1, and a tempo map beside them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.midi import write_tempo_map
from mashup_worker.exports.song import require_tracks, write_audio
from mashup_worker.system.files import atomic_path
from mashup_worker.system.names import safe_names

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

TEMPO_MAP_NAME = "tempo map.mid"


def write_stem_folder(song: ExportSong, folder: Path) -> list[Path]:
    """Write the stems of a song, all of one length, and its tempo map if a beat is known.

    Silence before the song lets bar 1 begin with the files. The samples are those of the stems, so
    stems that add up to the song still do. All files appear together.

    Raises:
        InvalidInput: the song has no stems, or they differ in sample rate.
        StorageFailed: a file cannot be written.
    """
    tracks = require_tracks(song, "a stem folder")
    home = folder / f"{song.name} {song.tempo_text}"
    sounds = [track.audio() for track in tracks]
    rate = sounds[0].sample_rate
    if any(one.sample_rate != rate for one in sounds):
        raise InvalidInput(f"{song.title}: its stems differ in sample rate")
    beats, tags = song.tempo_map, song.music_tags
    lead = 0 if beats is None else round(-beats.origin_s * rate)
    length = lead + max(one.length_samples for one in sounds)
    written = []
    names = safe_names(track.name for track in tracks)
    with ExitStack() as files:
        for track, name, sound in zip(tracks, names, sounds, strict=True):
            samples = F.pad(sound.samples, (lead, length - lead - sound.length_samples))
            target = home / f"{name}.wav"
            temporary, stem_tags = (
                files.enter_context(atomic_path(target)),
                tags.of_stem(track.name),
            )
            write_audio(target, Audio(samples, rate), stem_tags, temporary=temporary)
            written.append(target)
        if beats is not None:
            written.append(home / TEMPO_MAP_NAME)
            write_tempo_map(written[-1], beats, song.markers, song.title)
    return written
