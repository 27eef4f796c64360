"""Changes good files at random and has them decoded apart, for as long as one likes.

    python -m tests.fuzz.decode --seconds 600 --seed 1 --keep offenders/

Anything but a result or a clear error is an offence: its file is kept, with what was done to it.
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

from mashup_worker.audio.sandbox import ApartLimits, decode_apart
from mashup_worker.errors import InvalidInput
from tests.fuzz.corpus import good_files, mutated

LIMITS = ApartLimits(max_duration_s=60.0, max_decoded_bytes=100_000_000, timeout_s=20.0)
MARGIN_S = 5.0


def verdict(path: Path, target: Path, limits: ApartLimits = LIMITS) -> str:
    """What became of a file: `decoded`, or the code of its error.

    Raises:
        AssertionError: neither a sound result nor a clear error, or it took too long.
    """
    started_s = time.monotonic()
    try:
        decode_apart(path, target, limits)
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
    """Fuzz; 1 where something was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("offenders"))
    given = parser.parse_args()
    dice = random.Random(given.seed)
    told: Counter[str] = Counter()
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
                told[verdict(changed, folder / "out.wav")] += 1
            except Exception as error:
                told["offence"] += 1
                given.keep.mkdir(parents=True, exist_ok=True)
                kept = given.keep / f"{told.total()}-{'-'.join(ways)}-{path.name}"
                kept.write_bytes(data)
                sys.stderr.write(f"{kept}: {type(error).__name__}: {error}\n")
    sys.stdout.write(f"{told.total()} files, seed {given.seed}: {dict(told)}\n")
    return 1 if told["offence"] else 0


if __name__ == "__main__":
    sys.exit(main())
