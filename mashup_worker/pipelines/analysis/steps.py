"""Steps of the analysis, each on sound in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ as CHROMA_FRAME_RATE_HZ
from mashup_worker.analysis.chroma import RATE_HZ as CHROMA_RATE_HZ
from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.keys import estimate_key
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, find_onsets
from mashup_worker.analysis.onsets import RATE_HZ as ONSET_RATE_HZ
from mashup_worker.analysis.result import DEFAULT_OPTIONS
from mashup_worker.analysis.rhythm import Rhythm, find_rhythm
from mashup_worker.analysis.tempogram import tempogram as tempogram_of
from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.decode import LOUDEST
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import measure
from mashup_worker.models.device import resolve_device
from mashup_worker.pipelines.analysis.inputs import AnalysisInput, MonoDownmix

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.keys import KeyEstimate
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.result import AnalysisOptions, KeyProfile
    from mashup_worker.analysis.tempogram import Tempogram
    from mashup_worker.dsp.loudness import Loudness

_LONG_SILENCE_S = 3.0


def onset_strength(audio: Audio, *, device: str = "cpu") -> Onsets:
    """Return the onset strength by band; frame `i` is at `i / FRAME_RATE_HZ` of `onsets`."""
    return find_onsets(_mono(audio).to(resolve_analysis_device(device)))


def tempogram(audio: Audio, *, device: str = "cpu") -> Tempogram:
    """Return the strength of each tempo over time."""
    return tempogram_of(onset_strength(audio, device=device).groups, FRAME_RATE_HZ)


def rhythm(
    audio: Audio, options: AnalysisOptions = DEFAULT_OPTIONS, *, device: str = "cpu"
) -> Rhythm:
    """Return tempo, beats, downbeats and beats per bar."""
    mix, place = AnalysisInput.of_mix(_mono(audio)), resolve_analysis_device(device)
    onsets = find_onsets(mix.rhythm.to(place))
    harmony = chroma(to_chroma_rate(mix.harmony).to(place))
    return rhythm_of(mix, onsets, harmony, options)[0]


def pitch_classes(audio: Audio, *, device: str = "cpu") -> Chroma:
    """Return the strength of the pitch classes over time, and the tuning."""
    return chroma(to_chroma_rate(_mono(audio)).to(resolve_analysis_device(device)))


def key(audio: Audio, profile: KeyProfile = "auto", *, device: str = "cpu") -> KeyEstimate:
    """Return all 24 keys with their scores, best first."""
    return estimate_key(pitch_classes(audio, device=device), profile)


def loudness(audio: Audio, *, device: str = "cpu") -> Loudness:
    """Return integrated loudness, loudness range, true peak and the loudest moments."""
    finite = clean(audio)
    return measure(Audio(finite.samples.to(resolve_analysis_device(device)), finite.sample_rate))


def rhythm_of(
    sounds: AnalysisInput, onsets: Onsets, harmony: Chroma, options: AnalysisOptions
) -> tuple[Rhythm, Tempogram]:
    """Return the rhythm of a song, and the tempogram that it was found in."""
    tempi = tempogram_of(onsets.groups, FRAME_RATE_HZ)
    if sounds.sounding_s is None:
        return Rhythm(), tempi
    start_s, stop_s = sounds.sounding_s
    shift_s = max(0.0, start_s - _LONG_SILENCE_S)
    if shift_s == 0:
        return find_rhythm(
            onsets, tempi, harmony, options=options, sounding_s=sounds.sounding_s
        ), tempi
    # Long silence would count as music without strokes.
    late = onsets.between(round(shift_s * FRAME_RATE_HZ))
    found = find_rhythm(
        late,
        tempogram_of(late.groups, FRAME_RATE_HZ),
        harmony.between(round(shift_s * CHROMA_FRAME_RATE_HZ)),
        options=options,
        sounding_s=(start_s - shift_s, stop_s - shift_s),
    )
    return found.shifted(round(shift_s * FRAME_RATE_HZ) / FRAME_RATE_HZ), tempi


def resolve_analysis_device(name: str) -> torch.device:
    """Return the device; the CPU if `auto` resolves to one without double precision."""
    device = resolve_device(name)
    return torch.device("cpu") if name == "auto" and device.type == "mps" else device


def clean(audio: Audio) -> Audio:
    """Fold to at most two channels and silence values that are not finite, as the decoder does."""
    samples = audio.samples.detach().float()
    finite = torch.where(samples.abs() <= LOUDEST, samples, 0.0)
    return Audio(fold_to_stereo(finite), audio.sample_rate)


def _mono(audio: Audio) -> Tensor:
    finite = clean(audio)
    downmix = MonoDownmix(finite.sample_rate, finite.channels)
    downmix.add(finite.samples.cpu())
    return downmix.finish()


def to_chroma_rate(mono: Tensor) -> Tensor:
    """Convert sound from the rate of the onsets to that of the chroma; shape `(samples,)`."""
    return resample(Audio(mono[None], ONSET_RATE_HZ), CHROMA_RATE_HZ).samples[0]
