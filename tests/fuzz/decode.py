"""Fuzz the sandboxed decoder with randomly changed files.

    python -m tests.fuzz.decode --seconds 600 --seed 1 --keep offenders/

A file that gives neither a result nor a clear error is kept; its name lists the changes.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import soundfile

from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed
from mashup_worker.errors import InvalidInput
from tests.fuzz.corpus import good_files, mutated

LIMITS = SandboxLimits(max_duration_s=60.0, max_decoded_bytes=100_000_000, timeout_s=120.0)
MARGIN_S = 60.0


def verdict(path: Path, target: Path, limits: SandboxLimits = LIMITS) -> str:
    """Return `"decoded"`, or the code of the error of a file.

    Raises:
        AssertionError: the result or the error is wrong, or the decoding took too long.
    """
    started_s = time.monotonic()
    try:
        decode_sandboxed(path, target, limits)
    except InvalidInput as error:
        refusal: InvalidInput | None = error
    else:
        refusal = None
    if refusal is not None:
        assert not target.exists()
        assert "\n" not in refusal.message
        assert str(path) in refusal.message
    else:
        info = soundfile.info(target)
        assert info.channels in (1, 2)
        assert 0 < info.frames <= limits.max_duration_s * info.samplerate
    assert time.monotonic() - started_s < limits.timeout_s + MARGIN_S
    assert {one for one in target.parent.iterdir() if one.suffix == ".part"} == set()
    target.unlink(missing_ok=True)
    return refusal.code if refusal else "decoded"


def main() -> int:
    """Fuzz and return 1 if a file was kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("offenders"))
    given = parser.parse_args()
    dice = random.Random(given.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "good").mkdir()
        good = good_files(folder / "good")
        contents = {path: path.read_bytes() for path in good}
        until_s = time.monotonic() + given.seconds
        while time.monotonic() < until_s:
            path = dice.choice(good)
            data, ways = contents[path], []
            for _ in range(dice.randint(1, 3)):
                data, way = mutated(data or b"\0" * 8, dice.choice(list(contents.values())), dice)
                ways.append(way)
            changed = folder / f"changed-{path.name}"
            changed.write_bytes(data)
            try:
                counts[verdict(changed, folder / "out.wav")] += 1
            except Exception as error:
                counts["offence"] += 1
                given.keep.mkdir(parents=True, exist_ok=True)
                kept = given.keep / f"{counts.total()}-{'-'.join(ways)}-{path.name}"
                kept.write_bytes(data)
                sys.stderr.write(f"{kept}: {type(error).__name__}: {error}\n")
    sys.stdout.write(f"{counts.total()} files, seed {given.seed}: {dict(counts)}\n")
    return 1 if counts["offence"] else 0


if __name__ == "__main__":
    sys.exit(main())
