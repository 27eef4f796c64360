"""Analysis: a song in; its tempo, beats, bars, key and loudness out.

A ladder that can be entered at any rung. `analyze_file` and `analyze_stem_files` decode,
`analyze_audio` and `analyze_stems` take sound in memory. Below them every step stands alone:
`onset_strength`, `tempogram`, `rhythm` (tempo, beats and downbeats), `pitch_classes`, `key` and
`loudness` take sound, and the functions in `mashup_worker.analysis` that they call take features.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ as CHROMA_FRAME_RATE_HZ
from mashup_worker.analysis.chroma import RATE_HZ as CHROMA_RATE_HZ
from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.keys import KeyEstimate, estimate_key
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, onsets
from mashup_worker.analysis.onsets import RATE_HZ as ONSET_RATE_HZ
from mashup_worker.analysis.result import (
    NOTHING_KNOWN,
    Analysis,
    AnalysisOptions,
    AnalyzeResult,
    Evidence,
    KeyProfile,
)
from mashup_worker.analysis.rhythm import Rhythm, find_rhythm
from mashup_worker.analysis.tempogram import tempogram as tempogram_of
from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.decode import LOUDEST, open_decoder
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio, spans
from mashup_worker.audio.spool import Spool
from mashup_worker.dsp.loudness import measure
from mashup_worker.models.device import device_errors, resolve_device
from mashup_worker.pipelines.analysis.inputs import Ear, Levels, Meters, Parts, StemEars
from mashup_worker.pipelines.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.tempogram import Tempogram
    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.dsp.loudness import Loudness

    OnProgress = Callable[[str, float], None]
    """Called with the stage and its share done. An exception raised in it stops the work."""

_KEPT_KEYS = 5
_LONG_SILENCE_S = 3.0


def analyze_file(
    source: Path,
    options: AnalysisOptions = NOTHING_KNOWN,
    *,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyse a file of any length and format that can be decoded.

    Args:
        source: the file.
        options: what is known of it beforehand.
        limits: what it may measure.
        device: where features are computed: `auto`, `cpu`, `cuda` or `cuda:N`.
        on_progress: called with the stage and its share done.

    Raises:
        InvalidInput: the file can't be used.
        OutOfMemory: the device can't hold the features.
        DeviceUnavailable: there is no such device.
    """
    report = on_progress or (lambda _stage, _share: None)
    place, clock = _place(device), Clock()
    with open_decoder(source, limits) as decoder:
        ear = Ear(decoder.rate_hz, decoder.channels)
        meters = Meters(decoder.rate_hz, decoder.channels, place)
        claimed = (decoder.info.claimed_duration_s or math.inf) * decoder.rate_hz
        taken = 0
        for block in decoder.blocks():
            ear.add(block)
            meters.add(block)
            taken += block.shape[1]
            report("listen", min(1.0, taken / claimed))
    clock.lap("listen", place)
    parts = Parts.of_mix(ear.heard())
    return _analyze(parts, meters.levels(), taken / decoder.rate_hz, options, place, clock, report)


def analyze_stem_files(
    stems: Mapping[str, Path],
    options: AnalysisOptions = NOTHING_KNOWN,
    *,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    device: str = "cpu",
    on_progress: OnProgress | None = None,
) -> AnalyzeResult:
    """Analyse a song from its stems' files: rhythm from the drums, key from what has pitch.

    Args:
        stems: the files by kind, at least one; together they are the song.
        options: what is known of the song beforehand.
        limits: what each file may measure.
        device: as for `analyze_file`.
        on_progress: called with the stage and its share done.

    Raises:
        InvalidInput: a file can't be used, or the stems have different sample rates.
        DeviceUnavailable: there is no such device.
    """
    report, clock = on_progress or (lambda _stage, _share: None), Clock()
    with ExitStack() as stack:
        spools: dict[str, SampleSource] = {}
        for done, (kind, path) in enumerate(stems.items()):
            decoder = stack.enter_context(open_decoder(path, limits))
            spool = stack.enter_context(Spool(decoder.rate_hz, decoder.channels))
            for block in decoder.blocks():
                spool.append(block)
            spools[kind] = spool
            report("decode", (done + 1) / len(stems))
        clock.lap("decode")
        return _analyze_sources(spools, options, _place(device), clock, report)


def analyze_audio(
    audio: Audio, options: AnalysisOptions = NOTHING_KNOWN, *, device: str = "cpu"
) -> AnalyzeResult:
    """Analyse sound in memory, at any rate and with any number of channels.

    Raises:
        DeviceUnavailable: there is no such device.
    """
    place, clock = _place(device), Clock()
    audio = _usable(audio)
    ear = Ear(audio.rate_hz, audio.channels)
    meters = Meters(audio.rate_hz, audio.channels, place)
    for start, stop in spans(audio):
        block = audio.read(start, stop)
        ear.add(block.cpu())
        meters.add(block)
    clock.lap("listen", place)
    parts = Parts.of_mix(ear.heard())
    return _analyze(parts, meters.levels(), audio.duration_s, options, place, clock)


def analyze_stems(
    stems: Mapping[str, Audio], options: AnalysisOptions = NOTHING_KNOWN, *, device: str = "cpu"
) -> AnalyzeResult:
    """Analyse a song from its stems in memory, as `analyze_stem_files` does from files.

    Raises:
        InvalidInput: the stems have different sample rates, or there are none.
        DeviceUnavailable: there is no such device.
    """
    usable = {kind: _usable(stem) for kind, stem in stems.items()}
    return _analyze_sources(usable, options, _place(device), Clock())


def onset_strength(audio: Audio, *, device: str = "cpu") -> Onsets:
    """Where sounds begin, by band; frame `i` tells of time `i / FRAME_RATE_HZ` of `onsets`."""
    return onsets(_heard(audio).to(_place(device)))


def tempogram(audio: Audio, *, device: str = "cpu") -> Tempogram:
    """How strongly each tempo is felt over time."""
    return tempogram_of(onset_strength(audio, device=device).groups, FRAME_RATE_HZ)


def rhythm(
    audio: Audio, options: AnalysisOptions = NOTHING_KNOWN, *, device: str = "cpu"
) -> Rhythm:
    """Tempo, beats, downbeats and beats a bar."""
    parts, place = Parts.of_mix(_heard(audio)), _place(device)
    return _rhythm(parts, chroma(for_chroma(parts.harmony).to(place)), options, place)[0]


def pitch_classes(audio: Audio, *, device: str = "cpu") -> Chroma:
    """Which pitch classes sound, and how the song is tuned."""
    return chroma(for_chroma(_heard(audio)).to(_place(device)))


def key(audio: Audio, profile: KeyProfile = "auto", *, device: str = "cpu") -> KeyEstimate:
    """All 24 keys with their scores, best first."""
    return estimate_key(pitch_classes(audio, device=device), profile)


def loudness(audio: Audio, *, device: str = "cpu") -> Loudness:
    """Integrated loudness, loudness range, true peak, and the loudest moments."""
    usable = _usable(audio)
    return measure(Audio(usable.samples.to(_place(device)), usable.rate_hz))


def _analyze_sources(
    stems: Mapping[str, SampleSource],
    options: AnalysisOptions,
    device: torch.device,
    clock: Clock,
    report: OnProgress = lambda _stage, _share: None,
) -> AnalyzeResult:
    ears = StemEars(stems, device)
    ears.listen(lambda share: report("listen", share))
    clock.lap("listen", device)
    return _analyze(ears.parts(), ears.levels(), ears.duration_s, options, device, clock, report)


def _analyze(
    parts: Parts,
    levels: Levels,
    duration_s: float,
    options: AnalysisOptions,
    device: torch.device,
    clock: Clock,
    report: OnProgress = lambda _stage, _share: None,
) -> AnalyzeResult:
    with device_errors(device, f"the features of {duration_s:.0f} s"):
        harmony = chroma(for_chroma(parts.harmony).to(device))
        silent = parts.sounding_s is None
        estimate = KeyEstimate() if silent else estimate_key(harmony, options.key_profile)
        clock.lap("harmony", device)
        report("harmony", 1.0)
        found, tempi = _rhythm(parts, harmony, options, device)
        clock.lap("rhythm", device)
        report("rhythm", 1.0)
    analysis = _analysis(found, estimate, harmony, levels, duration_s)
    return AnalyzeResult(analysis, _evidence(tempi, harmony, levels), clock.laps_s)


def _rhythm(
    parts: Parts, harmony: Chroma, options: AnalysisOptions, device: torch.device
) -> tuple[Rhythm, Tempogram]:
    heard = onsets(parts.rhythm.to(device))
    tempi = tempogram_of(heard.groups, FRAME_RATE_HZ)
    if parts.sounding_s is None:
        return Rhythm(), tempi
    start_s, stop_s = parts.sounding_s
    shift_s = max(0.0, start_s - _LONG_SILENCE_S)
    if shift_s == 0:
        return find_rhythm(heard, tempi, harmony, options, parts.sounding_s), tempi
    # Long silence would be weighed as if it were music without strokes.
    late = heard.from_frame(round(shift_s * FRAME_RATE_HZ))
    found = find_rhythm(
        late,
        tempogram_of(late.groups, FRAME_RATE_HZ),
        harmony.from_frame(round(shift_s * CHROMA_FRAME_RATE_HZ)),
        options,
        (start_s - shift_s, stop_s - shift_s),
    )
    return found.later(round(shift_s * FRAME_RATE_HZ) / FRAME_RATE_HZ), tempi


def _analysis(
    found: Rhythm, estimate: KeyEstimate, harmony: Chroma, levels: Levels, duration_s: float
) -> Analysis:
    best = estimate.candidates[0] if estimate.candidates else None
    return Analysis(
        duration_s=duration_s,
        tempo_bpm=found.tempo_bpm,
        tempo_confidence=found.confidence,
        tempo_candidates=found.candidates,
        tempo_stable=found.stable,
        beats_s=found.beats_s,
        downbeats_s=found.downbeats_s,
        beats_per_bar=found.beats_per_bar,
        key=best.key if best else None,
        camelot=best.camelot if best else None,
        key_confidence=estimate.confidence,
        key_candidates=estimate.candidates[:_KEPT_KEYS],
        key_profile=estimate.profile,
        tuning_cents=float(harmony.tuning_cents) if best else None,
        loudness_lufs=levels.integrated_lufs,
        loudness_range_lu=levels.range_lu,
        true_peak_dbtp=levels.true_peak_dbtp,
    )


def _evidence(tempi: Tempogram, harmony: Chroma, levels: Levels) -> Evidence:
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


def _place(device: str) -> torch.device:
    """The device; the CPU where `auto` finds one that lacks double precision."""
    place = resolve_device(device)
    return torch.device("cpu") if device == "auto" and place.type == "mps" else place


def _usable(audio: Audio) -> Audio:
    """Samples in one or two channels, without what is no sound, as the decoder gives them."""
    samples = audio.samples.detach().float()
    clean = torch.where(samples.abs() <= LOUDEST, samples, 0.0)
    return Audio(fold_to_stereo(clean), audio.rate_hz)


def _heard(audio: Audio) -> Tensor:
    usable = _usable(audio)
    ear = Ear(usable.rate_hz, usable.channels)
    ear.add(usable.samples.cpu())
    return ear.heard()


def for_chroma(heard: Tensor) -> Tensor:
    """Sound at the onsets' rate, converted to that of the chroma; shape `(samples,)`."""
    return resample(Audio(heard[None], ONSET_RATE_HZ), CHROMA_RATE_HZ).samples[0]
