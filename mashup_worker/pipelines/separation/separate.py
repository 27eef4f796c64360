"""Separate a song into stems, for any sample rate, channel count and length.

Songs and stems are kept in spools, in memory while they are short and on disk otherwise, so an
hour-long file needs bounded memory.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from mashup_worker.audio.decode import open_decoder
from mashup_worker.audio.encode import check_fits
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.resample import StreamResampler, resampled_length
from mashup_worker.audio.signal import Audio, ScaledSource, spans
from mashup_worker.audio.song_tags import FoundTags
from mashup_worker.audio.spool import Spool
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import InvalidInput
from mashup_worker.models.device import device_errors
from mashup_worker.pipelines.clock import Clock, ignore_progress
from mashup_worker.pipelines.separation.exact import ExactSum, check_lossless, completing_stem
from mashup_worker.pipelines.separation.on_device import fits, separate_on_device
from mashup_worker.pipelines.separation.stems import Stem, computed_stems, stem_mixes
from mashup_worker.pipelines.separation.writing import StemFile, shared_gain, write_stems
from mashup_worker.system.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.separation.stems import StemMix

Stage = Literal["decode", "separate", "encode"]


@dataclass(frozen=True)
class SeparateRequest:
    """Song to separate into files by kind; `no_<kind>` is the mix without a kind.

    Attributes:
        tags: tags of the files; those of the source when None.
        sum_exact: whether the samples of the files add up to those of the song; see `exact`.
        before_publish: called when all stems are encoded, just before they replace their targets.
    """

    source: Path
    targets: Mapping[str, Path]
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    tags: SongTags | None = None
    sum_exact: bool = False
    before_publish: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class SeparateResult:
    """Files of a separation, in the requested order.

    Attributes:
        shared_gain_db: gain of all stems that prevents clipping; 0 for none.
        non_finite_samples: samples of the song that were not finite, replaced by 0.
        warnings: missing and ignored parts of the song's file, and a cover that is left out.
    """

    stems: tuple[StemFile, ...]
    duration_s: float
    timings_s: Mapping[str, float]
    shared_gain_db: float
    non_finite_samples: int
    warnings: tuple[str, ...] = ()

    @property
    def elapsed_s(self) -> float:
        """Sum of the timings."""
        return sum(self.timings_s.values())


@dataclass(frozen=True, eq=False, kw_only=True)
class Separation:
    """Song and stems that are kept in memory, as they will be written except for rounding.

    Attributes:
        tags: tags of the song.
    """

    song: SampleSource
    stems: Mapping[str, SampleSource]
    tags: SongTags
    _write: Callable[[SongTags], SeparateResult] = field(repr=False)

    def write(self, tags: SongTags | None = None) -> SeparateResult:
        """Write the requested stems, all or none, with `tags` in place of the song's.

        Raises:
            StorageFailed: a stem cannot be written.
            InvalidInput: the format cannot hold the stems.
        """
        return self._write(self.tags if tags is None else tags)


def separate_file(
    separator: Separator, request: SeparateRequest, on_progress: OnProgress | None = None
) -> SeparateResult:
    """Separate a song and write the requested stems, all or none.

    Raises:
        InvalidInput: the file cannot be decoded, the model lacks a stem, the format cannot hold
            the song, or an exact sum is impossible.
        OutOfMemory: one segment does not fit on the device.
        DeviceLost: this process can no longer use the device.
        StorageFailed: a stem cannot be written.
    """
    with open_separation(separator, request, on_progress) as separation:
        return separation.write()


@contextmanager
def open_separation(
    separator: Separator, request: SeparateRequest, on_progress: OnProgress | None = None
) -> Iterator[Separation]:
    """Separate as `separate_file`, and keep song and stems in memory for the block.

    The stems are written by `Separation.write`.
    """
    report = on_progress or ignore_progress
    clock = Clock()
    wanted = tuple(request.targets)
    completing = _completing(separator, wanted, request.encode) if request.sum_exact else None
    for target in request.targets.values():
        check_writable(target)
    with device_errors(separator.device, "this song"), ExitStack() as stack:
        decoder = stack.enter_context(open_decoder(request.source, request.limits))
        song = stack.enter_context(Spool(decoder.sample_rate, decoder.channels))
        claimed_samples = (decoder.info.claimed_duration_s or math.inf) * song.sample_rate
        for block in decoder.blocks():
            song.append(block)
            report("decode", min(1.0, song.length_samples / claimed_samples))
        for target in request.targets.values():
            check_fits(target, song, request.encode)
        found = read_tags(request.source) if request.tags is None else FoundTags(request.tags)
        clock.lap("decode")
        stems = _separate(
            stack,
            separator,
            song,
            stem_mixes(separator.stems, completing or separator.residual_stem, wanted),
            lambda share: report("separate", share),
        )
        exact = None if completing is None else ExactSum(stems, completing, request.encode)
        gain = shared_gain(stems, (exact or request.encode).max_peak)
        clock.lap("separate", torch.device(separator.device))

        def write(tags: SongTags) -> SeparateResult:
            writing = Clock()
            files = write_stems(
                stems,
                request.targets,
                request.encode,
                gain=gain,
                exact=exact,
                tags=tags,
                on_progress=lambda share: report("encode", share),
                before_publish=request.before_publish,
            )
            writing.lap("encode")
            return SeparateResult(
                stems=files,
                duration_s=song.length_samples / song.sample_rate,
                timings_s={**clock.laps_s, **writing.laps_s},
                shared_gain_db=20 * math.log10(gain),
                non_finite_samples=decoder.non_finite_samples,
                warnings=decoder.warnings + found.warnings,
            )

        yield Separation(
            song=song,
            stems={stem.kind: ScaledSource(stem, gain) for stem in stems},
            tags=found.tags,
            _write=write,
        )


def separate_audio(
    separator: Separator,
    audio: Audio,
    stems: Sequence[str] | None = None,
    on_progress: Callable[[float], None] | None = None,
    *,
    sum_exact: bool = False,
) -> dict[str, Audio]:
    """Separate mono or stereo audio in memory, at any sample rate.

    With `sum_exact`, one stem is `audio` minus the others; see `exact.completing_stem`.

    Returns:
        Stems by kind, with the sample rate, channels and length of `audio`. Samples that are not
        finite are replaced by 0. `no_<kind>` is the mix without a kind.

    Raises:
        InvalidInput: the model lacks a stem, the audio has more than two channels, or an exact sum
            is impossible.
        OutOfMemory: one segment does not fit on the device.
        DeviceLost: this process can no longer use the device.
    """
    if audio.channels > separator.channels:
        raise InvalidInput(f"{audio.channels} channels: not mono or stereo; fold to stereo first")
    residual = separator.residual_stem
    audio = Audio(audio.samples.nan_to_num(0.0, 0.0, 0.0), audio.sample_rate)
    with device_errors(separator.device, "this song"), ExitStack() as stack:
        wanted = separator.stems if stems is None else tuple(stems)
        completing = completing_stem(separator.stems, residual, wanted) if sum_exact else residual
        mixes = stem_mixes(separator.stems, completing, wanted)
        made = _separate(stack, separator, audio, mixes, on_progress)
        return {
            stem.kind: Audio(stem.read(0, stem.length_samples).cpu(), stem.sample_rate)
            for stem in made
        }


def _completing(separator: Separator, wanted: Sequence[str], encode: EncodeOptions) -> str:
    check_lossless(encode)
    return completing_stem(separator.stems, separator.residual_stem, wanted)


def _separate(
    stack: ExitStack,
    separator: Separator,
    song: SampleSource,
    made: Sequence[StemMix],
    on_progress: Callable[[float], None] | None,
) -> tuple[Stem, ...]:
    """Return stems with the song's sample rate and channels, open as long as `stack`."""
    if fits(separator, song, made):
        return separate_on_device(separator, song, made, on_progress=on_progress)
    computed = computed_stems(made)
    mix = _as_wanted(stack, song, separator)
    parts = {kind: stack.enter_context(Spool(song.sample_rate, song.channels)) for kind in computed}
    form = separator.sample_rate, song.sample_rate, song.channels
    back = [StreamResampler(*form, length_samples=song.length_samples) for _ in computed]
    position = 0
    for blocks in separator.stream(mix, computed, on_progress=on_progress):
        position += blocks.shape[-1]
        for block, part, resample in zip(blocks, parts.values(), back, strict=True):
            folded = block if song.channels == separator.channels else block.mean(0, keepdim=True)
            part.append(resample.process(folded, last=position == mix.length_samples))
    return tuple(Stem(weights, song, parts) for weights in made)


def _as_wanted(stack: ExitStack, song: SampleSource, separator: Separator) -> SampleSource:
    """Return the song with the separator's sample rate and channels, at least one sample."""
    if (song.sample_rate, song.channels) == (separator.sample_rate, separator.channels):
        return song
    length = resampled_length(song.length_samples, song.sample_rate, separator.sample_rate)
    resample = StreamResampler(
        song.sample_rate, separator.sample_rate, song.channels, length_samples=max(1, length)
    )
    mix = stack.enter_context(Spool(separator.sample_rate, separator.channels))
    for start, stop in spans(song):
        block = resample.process(song.read(start, stop), last=stop == song.length_samples)
        mix.append(block.expand(separator.channels, -1))
    return mix
