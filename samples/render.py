"""Renders the sample songs: four stems, their mix and the truth about each.

    python samples/render.py            writes every song next to this file
    python samples/render.py --check    renders again and compares with the files that are there

Everything is synthesised in numpy and scipy from the scores in `songs/`, with seeded random
numbers. Stems are written as Ogg Vorbis; the mix is the sum of what the written stems decode to,
so stems and mix agree to within the rounding of `MIX_BITS`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

from samples.songs import SONGS
from samples.songs.model import STEMS, Song
from synth.core import RATE_HZ, Signal, decibels
from synth.effects import limiter_gain
from synth.timeline import BEATS_PER_BAR, Grid

CEILING = decibels(-1.0)
"""Peak of the mix."""

VORBIS_LEVEL = 0.75
"""libsndfile's compression level: 0 is the largest and best, 1 the smallest."""

MIX_BITS = 14
"""Bits kept of the mix's 16: FLAC stores the zeros below for nothing, and files stay small."""

SAME_DB = 40.0
"""A render on other versions of the codecs may differ from the files by this much."""


def perform(song: Song, grid: Grid | None = None) -> dict[str, Signal]:
    """Play and master a song.

    The limiter's gain follows the mix and is applied to every stem alike, so that they still add
    up.

    Args:
        song: what to play.
        grid: another grid than the song's own, such as one of fewer bars.

    Returns:
        Stereo signals by stem; their sum stays under the ceiling.
    """
    played = song.play(grid or song.grid)
    stems = {
        name: played[name] * decibels(song.mix_db[name] + song.master_gain_db) for name in STEMS
    }
    gain = limiter_gain(np.sum(list(stems.values()), axis=0), 0.97 * CEILING)
    return {name: stem * gain for name, stem in stems.items()}


def truth(song: Song) -> dict[str, object]:
    """Return the truth of a song, known by construction."""
    beats_s = song.grid.beats_s()
    return {
        "title": song.title,
        "tempo_bpm": song.grid.tempo_bpm,
        "beats_per_bar": BEATS_PER_BAR,
        "key": song.key,
        "swing": song.grid.swing,
        "duration_s": song.grid.duration_s,
        "mix": "mix.flac",
        "stems": {name: f"{name}.ogg" for name in STEMS},
        "beats_s": beats_s,
        "downbeats_s": beats_s[::BEATS_PER_BAR],
        "author": "original, made by samples/render.py",
        "license": "MIT",
    }


def write(song: Song, folder: Path) -> None:
    """Write the files of a song into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = perform(song)
    gain = 1.0
    while True:
        for name, stem in stems.items():
            _write_vorbis(folder / f"{name}.ogg", gain * stem)
        mix = np.sum([sf.read(folder / f"{name}.ogg")[0] for name in STEMS], axis=0)
        peak = float(np.abs(mix).max())
        if peak <= CEILING:
            break
        gain *= 0.998 * CEILING / peak
    whole = np.round(mix * 2 ** (MIX_BITS - 1)).astype(np.int16) << (16 - MIX_BITS)
    sf.write(folder / "mix.flac", whole, RATE_HZ, subtype="PCM_16", compression_level=1.0)
    text = json.dumps(truth(song), indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


def differences(song: Song, committed: Path, fresh: Path) -> list[str]:
    """What differs between two renders of a song, one line for each file."""
    found = []
    for name in ("mix.flac", *(f"{stem}.ogg" for stem in STEMS)):
        old, new = (sf.read(folder / song.slug / name)[0] for folder in (committed, fresh))
        if old.shape != new.shape:
            found.append(f"{song.slug}/{name}: {old.shape} samples, rendered {new.shape}")
            continue
        ratio_db = 10 * np.log10(np.sum(old**2) / max(float(np.sum((old - new) ** 2)), 1e-20))
        if ratio_db < SAME_DB:
            found.append(f"{song.slug}/{name}: only {ratio_db:.1f} dB alike")
    old_text, new_text = ((f / song.slug / "truth.json").read_text() for f in (committed, fresh))
    if json.loads(old_text) != json.loads(new_text):
        found.append(f"{song.slug}/truth.json: differs")
    return found


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Render the sample songs.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    here = Path(__file__).resolve().parent
    if not arguments.check:
        for song in SONGS:
            write(song, here / song.slug)
            print(f"{song.slug}: {song.grid.duration_s:.2f} s")
        return 0
    found: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for song in SONGS:
            write(song, Path(scratch) / song.slug)
            found += differences(song, here, Path(scratch))
    print("\n".join(found) or "the files are what the scores render to")
    return 1 if found else 0


def _write_vorbis(path: Path, stereo: Signal) -> None:
    # libsndfile's Vorbis encoder overflows its stack when given minutes in one call.
    options = {"format": "OGG", "subtype": "VORBIS", "compression_level": VORBIS_LEVEL}
    with sf.SoundFile(path, "w", RATE_HZ, 2, **options) as file:
        for start in range(0, stereo.shape[1], RATE_HZ):
            file.write(stereo[:, start : start + RATE_HZ].T)


if __name__ == "__main__":
    sys.exit(main())
