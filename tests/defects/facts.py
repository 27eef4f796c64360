"""Recorded facts about what ffmpeg decodes from the files of `files`.

    python -m tests.defects.facts        # records them anew with the installed ffmpeg

A fact is the number of samples per channel, and the level of each tenth of the sound; null where
ffmpeg refuses the file. The start of a file's SHA-256 shows whether another version of an encoder
has made another file, for which the fact does not hold.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.defects.files import FORMATS, defects

TABLE = Path(__file__).with_name("facts.json")


def ffmpeg_samples(path: Path, channels: int) -> np.ndarray:
    """Return the samples that ffmpeg decodes, shape `(samples, channels)`; none if it refuses."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0"]
    done = subprocess.run(
        [*command, "-ac", str(channels), "-f", "f32le", "pipe:1"], capture_output=True, check=False
    )
    whole = done.stdout[: len(done.stdout) // (4 * channels) * 4 * channels]
    return np.frombuffer(whole, "<f4").reshape(-1, channels)


def levels(samples: np.ndarray) -> list[float]:
    """Return the RMS of each tenth."""
    with np.errstate(invalid="ignore"):
        finite = np.nan_to_num(samples.astype(np.float64)).clip(-9.0, 9.0)
    parts = np.array_split(finite, 10)
    return [
        round(float(np.sqrt(np.square(part).mean())), 3) if part.size else 0.0 for part in parts
    ]


def digest(data: bytes) -> str:
    """Return the start of a SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def main() -> int:
    """Record the facts."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, _, channels) in FORMATS.items():
            for defect, data in defects(name):
                path = Path(folder) / f"song.{name}"
                path.write_bytes(data)
                samples = ffmpeg_samples(path, channels)
                fact = [len(samples), levels(samples)] if len(samples) else [None, []]
                rows[f"{name}: {defect}"] = [digest(data), *fact]
    lines = (f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in rows.items())
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    decoded = sum(row[1] is not None for row in rows.values())
    sys.stdout.write(f"{len(rows)} files, ffmpeg decodes {decoded}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
