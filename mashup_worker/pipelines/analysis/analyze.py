"""Analysis of a song: tempo, beats, bars, key, loudness and form.

`analyze_file` and `analyze_stem_files` decode; `analyze_source`, `analyze_sources`, `analyze_audio`
and `analyze_stems` take sound in memory. The functions of `steps` run one step alone on sound, and
those of `mashup_worker.analysis` run it on features.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ as CHROMA_FRAME_RATE_HZ
from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.form.form import Heard, find_form
from mashup_worker.analysis.keys import KeyEstimate, estimate_key
from mashup_worker.analysis.onsets import find_onsets
from mashup_worker.analysis.result import (
    DEFAULT_OPTIONS,
    Analysis,
    AnalysisOptions,
    AnalyzeResult,
    Evidence,
)
from mashup_worker.audio.decode import open_decoder
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.signal import spans
from mashup_worker.audio.spool import Spool
from mashup_worker.models.device import device_errors
from mashup_worker.pipelines.analysis.inputs import (
    AnalysisInput,
    LevelMeter,
    MeasuredLevels,
    MonoDownmix,
    StemReader,
)
from mashup_worker.pipelines.analysis.steps import (
    clean,
    resolve_analysis_device,
    rhythm_of,
    to_chroma_rate,
)
from mashup_worker.pipelines.clock import Clock, ignore_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.rhythm import Rhythm
    from mashup_worker.analysis.tempogram import Tempogram
    from mashup_worker.audio.decode import Decoder
    from mashup_worker.audio.signal import Audio, SampleSource
    from mashup_worker.pipelines.clock import OnProgress

_KEPT_KEYS = 5


@dataclass(frozen=True, eq=False)
class _Run:
    options: AnalysisOptions
    device: torch.device
    report: OnProgress
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def start(cls, options: AnalysisOptions, device: str, on_progress: OnProgress | None) -> _Run:
        report = on_progress or ignore_progress
        return cls(options, resolve_analysis_device(device), report)


def analyze_file(
    source: Path,
    options: AnalysisOptions = DEFAULT_OPTIONS,
    *,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyze a file of any length.

    Progress is called with `"measure"`, `"harmony"`, `"rhythm"` or `"form"` and the share done.

    Raises:
        InvalidInput: the file cannot be decoded, or exceeds a limit.
        OutOfMemory: the features do not fit on the device.
        DeviceUnavailable: the machine lacks the device.
    """
    run = _Run.start(options, device, on_progress)
    with open_decoder(source, limits) as decoder:
        claimed = (decoder.info.claimed_duration_s or math.inf) * decoder.sample_rate
        measured = _measure(decoder, decoder.blocks(), claimed, run)
        warnings = decoder.warnings
    return replace(_analyze(*measured, run), warnings=warnings)


def analyze_stem_files(
    stems: Mapping[str, Path],
    options: AnalysisOptions = DEFAULT_OPTIONS,
    *,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyze a song from the files of its stems, as `analyze_sources` does from memory.

    Raises:
        InvalidInput: a file cannot be decoded, or the stems have different sample rates.
        DeviceUnavailable: the machine lacks the device.
    """
    run = _Run.start(options, device, on_progress)
    with ExitStack() as stack:
        spools: dict[str, SampleSource] = {}
        warnings: list[str] = []
        for done, (kind, path) in enumerate(stems.items()):
            decoder = stack.enter_context(open_decoder(path, limits))
            spool = stack.enter_context(Spool(decoder.sample_rate, decoder.channels))
            for block in decoder.blocks():
                spool.append(block)
            spools[kind] = spool
            warnings += [f"{kind}: {warning}" for warning in decoder.warnings]
            run.report("decode", (done + 1) / len(stems))
        run.clock.lap("decode")
        return replace(_analyze_sources(spools, run), warnings=tuple(warnings))


def analyze_source(
    source: SampleSource,
    options: AnalysisOptions = DEFAULT_OPTIONS,
    *,
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyze mono or stereo sound in memory, of finite samples.

    Raises:
        OutOfMemory: the features do not fit on the device.
        DeviceUnavailable: the machine lacks the device.
    """
    run = _Run.start(options, device, on_progress)
    blocks = (source.read(start, stop) for start, stop in spans(source))
    return _analyze(*_measure(source, blocks, source.length_samples, run), run)


def analyze_sources(
    stems: Mapping[str, SampleSource],
    options: AnalysisOptions = DEFAULT_OPTIONS,
    *,
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyze a song from mono or stereo stems by kind: rhythm from the drums, key from the others.

    Raises:
        InvalidInput: the stems have different sample rates, or there are none.
        OutOfMemory: the features do not fit on the device.
        DeviceUnavailable: the machine lacks the device.
    """
    return _analyze_sources(stems, _Run.start(options, device, on_progress))


def analyze_audio(
    audio: Audio, options: AnalysisOptions = DEFAULT_OPTIONS, *, device: str = "cpu"
) -> AnalyzeResult:
    """Analyze audio with any number of channels, as `analyze_source`."""
    return analyze_source(clean(audio), options, device=device)


def analyze_rhythm_and_key(audio: Audio, options: AnalysisOptions = DEFAULT_OPTIONS) -> Analysis:
    """Analyze audio as `analyze_audio` does, on the CPU, without levels and form."""
    finite = clean(audio)
    downmix = MonoDownmix(finite.sample_rate, finite.channels)
    for start, stop in spans(finite):
        downmix.add(finite.read(start, stop))
    run = _Run.start(options, "cpu", None)
    return _hear(AnalysisInput.of_mix(downmix.finish()), run).analysis(audio.duration_s)


def analyze_stems(
    stems: Mapping[str, Audio], options: AnalysisOptions = DEFAULT_OPTIONS, *, device: str = "cpu"
) -> AnalyzeResult:
    """Analyze stems with any number of channels, as `analyze_sources`."""
    sources = {kind: clean(stem) for kind, stem in stems.items()}
    return analyze_sources(sources, options, device=device)


def _measure(
    source: Decoder | SampleSource, blocks: Iterable[Tensor], length_samples: float, run: _Run
) -> tuple[AnalysisInput, MeasuredLevels, float]:
    """Return the input of the analysis, the levels and the duration of one sound."""
    downmix = MonoDownmix(source.sample_rate, source.channels)
    meter = LevelMeter(source.sample_rate, source.channels, run.device)
    done = 0
    for block in blocks:
        downmix.add(block.cpu())
        meter.add(block)
        done += block.shape[1]
        run.report("measure", min(1.0, done / length_samples))
    run.clock.lap("measure", run.device)
    mix = AnalysisInput.of_mix(downmix.finish())
    return mix, meter.levels(), done / source.sample_rate


def _analyze_sources(stems: Mapping[str, SampleSource], run: _Run) -> AnalyzeResult:
    reader = StemReader(stems, run.device)
    reader.read(lambda share: run.report("measure", share))
    run.clock.lap("measure", run.device)
    return _analyze(reader.analysis_input(), reader.levels(), reader.duration_s, run)


def _analyze(
    sounds: AnalysisInput, levels: MeasuredLevels, duration_s: float, run: _Run
) -> AnalyzeResult:
    with device_errors(run.device, f"the features of {duration_s:.0f} s"):
        found = _hear(sounds, run)
        silent = sounds.sounding_s is None
        heard = Heard(duration_s, sounds.parts, found.harmony, found.onsets, found.rhythm, silent)
        form = find_form(heard, run.options.chord_method)
        run.clock.lap("form")
        run.report("form", 1.0)
    analysis = replace(
        found.analysis(duration_s),
        loudness_lufs=levels.integrated_lufs,
        loudness_range_lu=levels.range_lu,
        true_peak_dbtp=levels.true_peak_dbtp,
        **vars(form),
    )
    evidence = _evidence(found.tempi, found.harmony, levels)
    return AnalyzeResult(analysis, evidence, run.clock.laps_s)


@dataclass(frozen=True, eq=False, kw_only=True)
class _RhythmAndKey:
    harmony: Chroma
    key: KeyEstimate
    onsets: Onsets
    rhythm: Rhythm
    tempi: Tempogram

    def analysis(self, duration_s: float) -> Analysis:
        key, found = self.key, self.rhythm
        best = key.candidates[0] if key.candidates else None
        return Analysis(
            duration_s=duration_s,
            tempo_bpm=found.tempo_bpm,
            tempo_confidence=found.confidence,
            beat_confidence=found.beat_confidence,
            bar_confidence=found.bar_confidence,
            tempo_candidates=found.candidates,
            tempo_stable=found.stable,
            beats_s=found.beats_s,
            downbeats_s=found.downbeats_s,
            beats_per_bar=found.beats_per_bar,
            time_signature=found.time_signature,
            tempo_stretches=found.stretches,
            key=best.key if best else None,
            camelot=best.camelot if best else None,
            key_confidence=key.confidence,
            key_candidates=key.candidates[:_KEPT_KEYS],
            key_profile=key.profile,
            tuning_cents=float(self.harmony.tuning_cents) if best else None,
        )


def _hear(sounds: AnalysisInput, run: _Run) -> _RhythmAndKey:
    options, device = run.options, run.device
    harmony = chroma(to_chroma_rate(sounds.harmony).to(device))
    silent = sounds.sounding_s is None
    key = KeyEstimate() if silent else estimate_key(harmony, options.key_profile)
    run.clock.lap("harmony", device)
    run.report("harmony", 1.0)
    onsets = find_onsets(sounds.rhythm.to(device))
    found, tempi = rhythm_of(sounds, onsets, harmony, options)
    run.clock.lap("rhythm", device)
    run.report("rhythm", 1.0)
    return _RhythmAndKey(harmony=harmony, key=key, onsets=onsets, rhythm=found, tempi=tempi)


def _evidence(tempi: Tempogram, harmony: Chroma, levels: MeasuredLevels) -> Evidence:
    both = harmony.treble + 0.5 * harmony.bass
    momentary, short_term = levels.momentary.lufs, levels.short_term.lufs
    missing = len(momentary) - len(short_term)
    return Evidence(
        tempogram=tempi.strength.cpu(),
        tempogram_bpm=tempi.tempi_bpm.cpu(),
        tempogram_times_s=torch.arange(tempi.strength.shape[-1]) / tempi.frame_rate_hz,
        chroma=(both / both.amax(dim=0).clamp_min(1e-9)).cpu(),
        chroma_times_s=torch.arange(both.shape[-1]) / CHROMA_FRAME_RATE_HZ,
        loudness_times_s=levels.momentary.ends_s,
        momentary_lufs=momentary,
        short_term_lufs=torch.cat([momentary.new_full((missing,), torch.nan), short_term]),
    )
