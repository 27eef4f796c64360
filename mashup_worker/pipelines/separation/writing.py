"""Write the stems of a song with one shared gain, each encoded in a thread, all or none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.encode import encode_into
from mashup_worker.audio.signal import spans
from mashup_worker.dsp.loudness import LoudnessMeter
from mashup_worker.errors import Canceled
from mashup_worker.pipelines.separation.on_device import Delivery
from mashup_worker.system.cores import usable_processors
from mashup_worker.system.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.pipelines.separation.exact import ExactSum
    from mashup_worker.pipelines.separation.stems import Stem


@dataclass(frozen=True, kw_only=True)
class StemFile:
    """Stem on disk; its loudness is None for silence, below 0.4 s, and below 3,364 Hz."""

    kind: str
    path: Path
    duration_s: float
    loudness_lufs: float | None


def shared_gain(stems: Sequence[Stem], limit: float | None) -> float:
    """Return the factor, at most 1, that reduces the highest peak of all stems to `limit`."""
    if limit is None:
        return 1.0
    peaks = [stem.read(start, stop).abs().max() for stem in stems for start, stop in spans(stem)]
    peak = float(torch.stack(peaks).max())  # the only wait for the device
    return min(1.0, limit / peak) if peak else 1.0


def write_stems(
    stems: Sequence[Stem],
    targets: Mapping[str, Path],
    encode: EncodeOptions,
    *,
    gain: float,
    exact: ExactSum | None = None,
    tags: SongTags,
    on_progress: Callable[[float], None],
    before_publish: Callable[[], None],
) -> tuple[StemFile, ...]:
    """Scale the stems by `gain` and write each to its target; all files appear together.

    `tags` are those of the song; the title of each stem names the stem. `before_publish` is called
    just before the files appear. `exact` rounds the samples, if it is given.

    Raises:
        StorageFailed: a stem cannot be written.
        InvalidInput: the format cannot hold the stems.
    """
    progress = _SharedProgress(on_progress, sum(stem.length_samples for stem in stems))

    deliveries = {
        stem.kind: Delivery.of(stem, gain, encode, exact) for stem in stems if not stem.is_on_host
    }

    def write(stem: Stem, temporary: Path) -> StemFile:
        target, delivery = targets[stem.kind], deliveries.get(stem.kind)
        meter = (
            LoudnessMeter(stem.sample_rate, stem.channels) if delivery is None else delivery.meter
        )
        with encode_into(
            temporary,
            target,
            encode,
            sample_rate=stem.sample_rate,
            channels=stem.channels,
            tags=tags.of_stem(stem.kind),
        ) as writer:
            if delivery is not None:
                delivery.wait()
            for start, stop in spans(stem):
                if delivery is not None:
                    writer.write(delivery.values[:, start:stop])
                else:
                    block = gain * stem.read(start, stop)
                    meter.add(block)
                    writer.write(block if exact is None else exact.rounded(stem, gain, start, stop))
                progress.advance(stop - start)
        duration_s = stem.length_samples / stem.sample_rate
        return StemFile(
            kind=stem.kind,
            path=target,
            duration_s=duration_s,
            loudness_lufs=meter.integrated_lufs(),
        )

    with ExitStack() as names, ThreadPoolExecutor(usable_processors()) as pool:
        temporaries = [names.enter_context(atomic_path(targets[stem.kind])) for stem in stems]
        jobs = [pool.submit(write, *pair) for pair in zip(stems, temporaries, strict=True)]
        try:
            files = tuple(job.result() for job in jobs)
        except BaseException:
            progress.stop()
            raise
        before_publish()
        return files


class _SharedProgress:
    def __init__(self, on_progress: Callable[[float], None], total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def advance(self, samples: int) -> None:
        with self._lock:
            if self._stopped:
                raise Canceled
            self._done += samples
            self._on_progress(self._done / self._total)
