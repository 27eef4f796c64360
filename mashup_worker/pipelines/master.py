"""Mastering: a mix in, a file of the wanted loudness out, measured as it will be played."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.audio.atomic import atomic_path, check_writable
from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import check_fits, encode_into
from mashup_worker.dsp.compressor import Compression, compress
from mashup_worker.dsp.dither import dithered
from mashup_worker.dsp.limiter import PeakLimiter, limit
from mashup_worker.dsp.loudness import integrated_lufs, measure
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.loudness import Loudness

    OnProgress = Callable[[str, float], None]
    """Called with the stage and its share done. An exception raised in it stops the work."""

LOUDEST_LUFS, QUIETEST_LUFS = -5.0, -36.0
HIGHEST_DBTP, LOWEST_DBTP = 0.0, -9.0

_LOSSY_MARGIN_DB, _EXACT_MARGIN_DB = 0.5, 0.02
"""Encoders move peaks; dither and rounding do too, a little."""

_NEAR_LU = 0.03
_ROUNDS = 8
_FILE_ROUNDS = 6
_TOLERANCES_LU = {"mp3": 0.3, "ogg": 0.3}
_EXACT_TOLERANCE_LU = 0.08
_MOST_LIMITING_DB = 15.0
_NOTED_LIMITING_DB = 9.0


@dataclass(frozen=True)
class MasterRequest:
    """What a mix is brought to.

    Attributes:
        loudness_lufs: integrated loudness.
        true_peak_dbtp: highest true peak of the file when it is played.
        compression: the compressor on the way; None for none.
        seed: what the dither of 16-bit files is made from.

    Raises:
        InvalidInput: at once, for values that make no sense.
    """

    loudness_lufs: float = -14.0
    true_peak_dbtp: float = -1.0
    compression: Compression | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not QUIETEST_LUFS <= self.loudness_lufs <= LOUDEST_LUFS:
            raise InvalidInput(
                f"loudness {self.loudness_lufs:g} LUFS: it must lie between {QUIETEST_LUFS:g} "
                f"and {LOUDEST_LUFS:g}"
            )
        if not LOWEST_DBTP <= self.true_peak_dbtp <= HIGHEST_DBTP:
            raise InvalidInput(
                f"true peak {self.true_peak_dbtp:g} dBTP: it must lie between {LOWEST_DBTP:g} "
                f"and {HIGHEST_DBTP:g}"
            )


@dataclass(frozen=True, eq=False)
class Mastered:
    """A finished mix.

    Attributes:
        audio: its sound.
        gain_db: the gain in front of the limiter.
        limiting_db: what the limiter took off the highest peak.
        notes: what a person should know.
    """

    audio: Audio
    gain_db: float
    limiting_db: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MasterResult:
    """A finished file.

    Attributes:
        path: where it is.
        played: what is heard when it is played: the file, decoded.
        loudness: what was measured of that.
        gain_db, limiting_db: as in `Mastered`.
        rounds: how often it was encoded until it was right.
        notes: what a person should know.
        timings_s: seconds spent in each stage.
    """

    path: Path
    played: Audio = field(repr=False)
    loudness: Loudness
    gain_db: float
    limiting_db: float
    rounds: int
    notes: tuple[str, ...]
    timings_s: Mapping[str, float]


def mastered(audio: Audio, request: MasterRequest) -> Mastered:
    """Compress, bring to the loudness, and limit, until both figures are right.

    Shape: `(channels, samples)` to the same. What can't be measured, such as silence, stays as it
    is. Where the loudness takes more than 15 dB of limiting, it stays below.
    """
    if request.compression is not None:
        audio = compress(audio, request.compression)
    loudness = integrated_lufs(audio)
    if loudness is None:
        why = "silent or too short to have a loudness: its level stays"
        return Mastered(limit(audio, request.true_peak_dbtp).audio, 0.0, 0.0, (why,))
    limiter = PeakLimiter(audio)
    gain_db, slope = request.loudness_lufs - loudness, 1.0
    before: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    for _ in range(_ROUNDS):
        done = limiter.limited(gain_db, request.true_peak_dbtp)
        reached = integrated_lufs(done.audio) or request.loudness_lufs
        miss = request.loudness_lufs - reached
        if abs(miss) <= _NEAR_LU:
            break
        if done.most_reduction_db > _MOST_LIMITING_DB and miss > 0:
            notes = (
                f"{request.loudness_lufs:g} LUFS would take more than {_MOST_LIMITING_DB:g} dB of "
                f"limiting: it reaches {reached:.1f} LUFS",
            )
            break
        # The more is limited, the less a dB of gain brings.
        if before is not None and abs(gain_db - before[0]) > 1e-6:
            slope = min(1.0, max(0.2, (reached - before[1]) / (gain_db - before[0])))
        before = gain_db, reached
        gain_db += miss / slope
    if not notes and done.most_reduction_db > _NOTED_LIMITING_DB:
        notes = (f"its highest peak is limited by {done.most_reduction_db:.1f} dB",)
    return Mastered(done.audio, gain_db, done.most_reduction_db, notes)


def write_master(
    audio: Audio,
    target: Path,
    request: MasterRequest,
    encode: EncodeOptions,
    on_progress: OnProgress | None = None,
) -> MasterResult:
    """Master a mix into a file that appears once it is right.

    The file is decoded and measured; where loudness or true peak miss, the mix is mastered again
    with what was learned, and written anew.

    Raises:
        StorageFailed: the file can't be written.
        InvalidInput: the format can't hold this sound.
    """
    report, clock = on_progress or (lambda _stage, _share: None), Clock()
    check_writable(target)
    check_fits(target, audio.length_samples, audio.rate_hz, audio.channels, encode)
    lossy = encode.format in _TOLERANCES_LU
    tolerance = _TOLERANCES_LU.get(encode.format, _EXACT_TOLERANCE_LU)
    margin_db = _LOSSY_MARGIN_DB if lossy else _EXACT_MARGIN_DB
    aim = replace(request, true_peak_dbtp=max(LOWEST_DBTP, request.true_peak_dbtp - margin_db))
    with atomic_path(target) as temporary:
        for rounds in range(1, _FILE_ROUNDS + 1):
            report("master", (rounds - 1) / _FILE_ROUNDS)
            done = mastered(audio, aim)
            clock.lap(f"master {rounds}")
            played = _written(done.audio, temporary, target, request.seed, encode)
            clock.lap(f"encode {rounds}")
            loudness = measure(played)
            over = (loudness.true_peak_dbtp or LOWEST_DBTP) - request.true_peak_dbtp
            miss = request.loudness_lufs - (loudness.integrated_lufs or request.loudness_lufs)
            clock.lap(f"measure {rounds}")
            if over <= 0 and (abs(miss) <= tolerance or done.notes):
                break
            aim = replace(
                aim,
                true_peak_dbtp=max(
                    LOWEST_DBTP, aim.true_peak_dbtp - (1.2 * over + 0.03 if over > 0 else 0.0)
                ),
                loudness_lufs=min(
                    LOUDEST_LUFS, aim.loudness_lufs + (miss if abs(miss) <= 1.0 else 0.0)
                ),
            )
    return MasterResult(
        path=target,
        played=played,
        loudness=loudness,
        gain_db=done.gain_db,
        limiting_db=done.limiting_db,
        rounds=rounds,
        notes=done.notes,
        timings_s=_by_stage(clock.laps_s),
    )


def _written(
    audio: Audio, temporary: Path, target: Path, seed: int, encode: EncodeOptions
) -> Audio:
    """Write the sound at the temporary name, and what is heard when that is played."""
    samples = audio.samples
    if encode.bit_depth == 16 and encode.format != "ogg":
        samples = dithered(samples, 16, seed)
    temporary.unlink(missing_ok=True)
    with encode_into(temporary, target, audio.rate_hz, audio.channels, encode) as writer:
        writer.write(samples)
    return decode(temporary)


def _by_stage(laps_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds of all rounds of a stage together."""
    stages: dict[str, float] = {}
    for lap, seconds in laps_s.items():
        stage = lap.partition(" ")[0]
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages
