"""Master a mix into a file with a given loudness and true peak, measured after decoding."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import check_fits, encode_into
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.dsp.compressor import Compression, compress
from mashup_worker.dsp.dither import dithered
from mashup_worker.dsp.limiter import PeakLimiter, limit
from mashup_worker.dsp.loudness import integrated_lufs, measure, ungated_lufs
from mashup_worker.dsp.offset import without_offset
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.request import check_range
from mashup_worker.pipelines.clock import Clock, ignore_progress
from mashup_worker.system.files import atomic_path, check_writable
from mashup_worker.vocabulary import (
    DEFAULT_LOUDNESS_LUFS,
    DEFAULT_MOST_LIMITING_DB,
    DEFAULT_TRUE_PEAK_DBTP,
    FORMATS,
    LOUDNESS_LUFS,
    TRUE_PEAK_DBTP,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.dsp.loudness import Loudness
    from mashup_worker.pipelines.clock import OnProgress

_LOSSY_MARGIN_DB, _EXACT_MARGIN_DB = 1.1, 0.02
"""Encoders move peaks; dither and rounding do too, a little."""

_NEAR_LU = 0.03
_ROUNDS = 8
_SHALLOWEST_SLOPE = 0.2
_FILE_ROUNDS = 6
_STEP_LU = 1.0
"""Greatest change of the aim in one round: the loss of an encoder grows with its input."""

_NOTED_LIMITING_DB = 9.0


@dataclass(frozen=True)
class MasterRequest:
    """Targets of a master, the true peak that of the decoded file.

    Gain is not raised further once the highest peak is limited by more than `most_limiting_db`. The
    seed is that of the dither of 16-bit files. With `raise_quiet`, sound below -70 LUFS, which
    counts as silence by BS.1770, is raised by its ungated loudness instead of keeping its level.

    Raises:
        InvalidInput: a value is out of range.
    """

    loudness_lufs: float = DEFAULT_LOUDNESS_LUFS
    true_peak_dbtp: float = DEFAULT_TRUE_PEAK_DBTP
    compression: Compression | None = None
    seed: int = 0
    raise_quiet: bool = False
    most_limiting_db: float = DEFAULT_MOST_LIMITING_DB

    def __post_init__(self) -> None:
        check_range("loudness", self.loudness_lufs, LOUDNESS_LUFS, unit="LUFS")
        check_range("true peak", self.true_peak_dbtp, TRUE_PEAK_DBTP, unit="dBTP")


@dataclass(frozen=True, eq=False, kw_only=True)
class Mastered:
    """Mastered mix, with its gain before the limiter and the limiting at the highest peak.

    `held_back` is whether limiting kept it from its loudness, which is None where undefined.
    """

    audio: Audio
    gain_db: float
    limiting_db: float
    lufs: float | None
    held_back: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MasterResult:
    """Mastered file.

    `played` is the decoded file, which `loudness` measures; `rounds` counts encodings until the
    targets were met. Gains are those of `Mastered`.
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
    """Compress, amplify and limit a mix until loudness and true peak meet their targets.

    A DC offset is removed first, since it occupies headroom. Audio without a loudness, such as
    silence, is returned unchanged. Its limiting is bounded, so the loudness may stay below its
    target.
    """
    mix = _Mix(audio, request)
    done = mix.brought_to(_Aim(request.loudness_lufs, request.true_peak_dbtp))
    return replace(done, notes=mix.notes(done, done.lufs, 2 * _NEAR_LU))


def write_master(
    audio: Audio,
    target: Path,
    request: MasterRequest,
    *,
    encode: EncodeOptions,
    tags: SongTags = NO_TAGS,
    on_progress: OnProgress | None = None,
) -> MasterResult:
    """Master a mix into a file with tags, which appears only once it meets the true peak.

    The file is decoded and measured. Where loudness or true peak miss their target, the mix is
    mastered again with a corrected aim and encoded anew. A loudness that cannot be reached is
    noted.

    Raises:
        StorageFailed: the file cannot be written.
        InvalidInput: the mix is empty, the format cannot hold it, or its encoder cannot keep the
            true peak.
    """
    report, clock = on_progress or ignore_progress, Clock()
    check_writable(target)
    check_fits(target, audio, encode)
    if not audio.length_samples:
        raise InvalidInput(f"{target}: the mix is empty")
    tolerance = FORMATS[encode.format].loudness_tolerance_lu
    margin_db = _EXACT_MARGIN_DB if encode.lossless else _LOSSY_MARGIN_DB
    report("master", 0.0)
    mix = _Mix(audio, request)
    aim = _Aim(request.loudness_lufs, request.true_peak_dbtp - margin_db)
    with atomic_path(target) as temporary:
        for rounds in range(1, _FILE_ROUNDS + 1):
            report("master", (rounds - 1) / _FILE_ROUNDS)
            done = mix.brought_to(aim)
            clock.lap(f"master {rounds}", audio.samples.device)
            report("encode", (rounds - 1) / _FILE_ROUNDS)
            played = _written(done.audio, temporary, target, request.seed, encode, tags)
            clock.lap(f"encode {rounds}")
            loudness = measure(played)
            over_db, miss_lu = _errors(loudness, request)
            clock.lap(f"measure {rounds}")
            if over_db <= 0 and (abs(miss_lu) <= tolerance or done.held_back):
                break
            aim = aim.corrected(over_db, 0.0 if done.held_back else miss_lu)
        if over_db > 0:
            raise InvalidInput(
                f"{target}: encoded, its true peak stays {over_db:.2f} dB above "
                f"{request.true_peak_dbtp:g} dBTP; choose a higher bitrate or another format"
            )
    return MasterResult(
        path=target,
        played=played,
        loudness=loudness,
        gain_db=done.gain_db,
        limiting_db=done.limiting_db,
        rounds=rounds,
        notes=mix.notes(done, loudness.integrated_lufs, tolerance),
        timings_s=_by_stage(clock.laps_s),
    )


@dataclass(frozen=True)
class _Aim:
    """Loudness and true peak to master to, so that the encoded file meets the targets."""

    loudness_lufs: float
    ceiling_dbtp: float

    def corrected(self, over_db: float, miss_lu: float) -> _Aim:
        lower_db = 1.2 * over_db + 0.03 if over_db > 0 else 0.0
        louder_lu = min(_STEP_LU, max(-_STEP_LU, miss_lu))
        return _Aim(self.loudness_lufs + louder_lu, self.ceiling_dbtp - lower_db)


class _Mix:
    """Mix whose levels and peaks are measured once, for any number of aims."""

    def __init__(self, audio: Audio, request: MasterRequest) -> None:
        cleaned = without_offset(audio)
        self._request, self._has_offset = request, cleaned is not audio
        self._lufs = integrated_lufs(cleaned)
        self._quiet_lufs = ungated_lufs(cleaned) if self._lufs is None else None
        self._raised_db, mix = 0.0, cleaned
        if request.raise_quiet and self._quiet_lufs is not None:
            self._raised_db = request.loudness_lufs - self._quiet_lufs
            mix = Audio(mix.samples * 10 ** (self._raised_db / 20), mix.sample_rate)
        if request.compression is not None:
            mix = compress(mix, request.compression)
        if mix is not cleaned:
            self._lufs = integrated_lufs(mix)
        self._audio, self._limiter, self._gain_db = mix, PeakLimiter(mix), 0.0

    def brought_to(self, aim: _Aim) -> Mastered:
        if self._lufs is None:
            limited = limit(self._audio, aim.ceiling_dbtp)
            return Mastered(
                audio=limited.audio,
                gain_db=0.0,
                limiting_db=limited.most_reduction_db,
                lufs=None,
                held_back=True,
            )
        # The last aim's gain is near this one's.
        gain_db, slope = self._gain_db + aim.loudness_lufs - self._lufs, 1.0
        before: tuple[float, float] | None = None
        for _ in range(_ROUNDS):
            limited = self._limiter.limited(gain_db, aim.ceiling_dbtp)
            lufs = integrated_lufs(limited.audio)
            # What has a loudness has one with any gain, unless that takes it below the gate.
            reached = aim.loudness_lufs if lufs is None else lufs
            miss = aim.loudness_lufs - reached
            self._gain_db, self._lufs = gain_db, reached
            held_back = (
                limited.most_reduction_db > self._request.most_limiting_db and miss > _NEAR_LU
            )
            if abs(miss) <= _NEAR_LU or held_back:
                break
            # The more is limited, the less a dB of gain brings.
            if before is not None and abs(gain_db - before[0]) > 1e-6:
                found = (reached - before[1]) / (gain_db - before[0])
                slope = min(1.0, max(_SHALLOWEST_SLOPE, found))
            before = gain_db, reached
            gain_db += miss / slope
        return Mastered(
            audio=limited.audio,
            gain_db=self._raised_db + self._gain_db,
            limiting_db=limited.most_reduction_db,
            lufs=reached,
            held_back=held_back,
        )

    def notes(self, done: Mastered, lufs: float | None, tolerance_lu: float) -> tuple[str, ...]:
        """Return remarks on a mastered mix whose loudness was measured with a tolerance."""
        notes = ["its DC offset is removed"] if self._has_offset else []
        if self._raised_db:
            notes.append(f"raised from {self._quiet_lufs:.1f} LUFS without gates")
        elif self._quiet_lufs is not None:
            return (
                *notes,
                f"below -70 LUFS ({self._quiet_lufs:.1f} without gates), which counts as silence: "
                "its level stays; raise_quiet (--raise-quiet) raises it",
            )
        return (*notes, *_loudness_notes(self._request, done, lufs, tolerance_lu))


def _errors(loudness: Loudness, request: MasterRequest) -> tuple[float, float]:
    """Return how far a file exceeds the true peak, in dB, and misses the loudness, in LU."""
    peak_dbtp, lufs = loudness.true_peak_dbtp, loudness.integrated_lufs
    over_db = -math.inf if peak_dbtp is None else peak_dbtp - request.true_peak_dbtp
    return over_db, 0.0 if lufs is None else request.loudness_lufs - lufs


def _loudness_notes(
    request: MasterRequest, done: Mastered, lufs: float | None, tolerance_lu: float
) -> tuple[str, ...]:
    if done.lufs is None or lufs is None:
        return ("silent or too short to have a loudness: its level stays",)
    limiting = f"its highest peak is limited by {done.limiting_db:.1f} dB"
    if abs(request.loudness_lufs - lufs) > tolerance_lu:
        short = f"it reaches {lufs:.1f} LUFS instead of {request.loudness_lufs:g}"
        return (
            f"{short}, which would take more limiting: {limiting}" if done.held_back else short,
        )
    return (limiting,) if done.limiting_db > _NOTED_LIMITING_DB else ()


def _written(
    audio: Audio, temporary: Path, target: Path, seed: int, encode: EncodeOptions, tags: SongTags
) -> Audio:
    samples = audio.samples
    if encode.bit_depth == 16 and encode.encodes_integers:
        samples = dithered(samples, 16, seed)
    temporary.unlink(missing_ok=True)
    with encode_into(
        temporary, target, encode, sample_rate=audio.sample_rate, channels=audio.channels, tags=tags
    ) as writer:
        writer.write(samples)
    return decode(temporary)


def _by_stage(laps_s: Mapping[str, float]) -> dict[str, float]:
    stages: dict[str, float] = {}
    for lap, seconds in laps_s.items():
        stage = lap.partition(" ")[0]
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages
