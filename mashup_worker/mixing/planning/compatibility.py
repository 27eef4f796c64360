"""How well one song's voice would go over another's instruments, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.analysis.onsets import RATE_HZ as ONSET_RATE_HZ
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stft import stft
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import moved, steps_between
from mashup_worker.mixing.plan import MOST_STRETCH, stretch
from mashup_worker.mixing.planning.harmony import MOST_EACH, Agreement, agreement
from mashup_worker.mixing.planning.tempo import common_pace, sharing_bars
from mashup_worker.mixing.planning.transposition import tonal
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from mashup_worker.mixing.song import MixSong

WEIGHTS = {"tempo": 0.35, "key": 0.35, "rhythm": 0.15, "room": 0.15}
"""Exponents of the geometric mean that the total is: what is impossible makes the whole 0."""

_STEPS_A_BAR = 16
_BANDS_HZ = (200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0)
_WINDOW_SAMPLES = 2048
_LEAST = 0.05
_CLASHING, _AGREEING = 0.0, 0.7
"""Correlations of pitch classes that sound wrong, and that sound like one song."""


@dataclass(frozen=True)
class Score:
    """One side of how well songs go together.

    Attributes:
        name: tempo, key, rhythm or room.
        value: 0 for not at all to 1 for as if made for each other.
        reason: why.
    """

    name: str
    value: float
    reason: str


@dataclass(frozen=True)
class Match:
    """How well a singer goes over a host.

    Attributes:
        singer, host: names of the songs.
        total: 0 to 1: the weighted geometric mean of the scores.
        scores: its parts.
        singer_semitones, host_semitones: how far each should move.
        tempo_bpm: where they would meet; None where they can't.
        singer_ratio, host_ratio: how many times as long each would become.
    """

    singer: str
    host: str
    total: float
    scores: tuple[Score, ...]
    singer_semitones: int = 0
    host_semitones: int = 0
    tempo_bpm: float | None = None
    singer_ratio: float = 1.0
    host_ratio: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """The match as JSON keeps it."""
        return {
            "singer": self.singer,
            "host": self.host,
            "total": round(self.total, 3),
            "scores": {
                one.name: {"value": round(one.value, 3), "reason": one.reason}
                for one in self.scores
            },
            "suggestion": {
                "tempo_bpm": None if self.tempo_bpm is None else round(self.tempo_bpm, 3),
                "singer_semitones": self.singer_semitones,
                "host_semitones": self.host_semitones,
                "singer_stretch_ratio": round(self.singer_ratio, 4),
                "host_stretch_ratio": round(self.host_ratio, 4),
            },
        }


@dataclass(frozen=True, eq=False)
class Profile:
    """What is compared of a song; measured once however many songs it is compared with.

    Attributes:
        song: the song.
        voice: pitch classes of what sings: of all that has pitch where no voice stands alone.
        backing: pitch classes of what it would be laid over.
        pattern: how loud its onsets are at each sixteenth of a bar, `(16,)`, sum 1.
        voice_bands: share of energy by band of what sings, `(bands,)`, sum 1.
        backing_bands: likewise of the instruments.
    """

    song: MixSong
    voice: Tensor
    backing: Tensor
    pattern: Tensor
    voice_bands: Tensor
    backing_bands: Tensor

    @classmethod
    def of(cls, song: MixSong) -> Profile:
        """Measure a song; without a part of its own for voice or instruments, all counts for it."""
        sings = bool(song.vocals)
        instruments = [part.audio for part in song.instruments.values()]
        voices = [song.vocals.audio] if song.vocals else instruments
        backing = tonal([song], vocals=False)
        voice = tonal([song], vocals=True) if sings else backing
        rhythm = song.parts.get(DRUMS)
        return cls(
            song,
            voice,
            backing if float(backing.sum()) else voice,
            bar_pattern(song, [rhythm.audio] if rhythm else instruments or voices),
            band_shares(voices),
            band_shares(instruments or voices),
        )


def compare(singer: Profile, host: Profile) -> Match:
    """How well the singer goes over the host; the other way round is another question."""
    tempo, meeting = _tempo(singer.song, host.song)
    key, mine, theirs = _key(singer, host)
    scores = (tempo, key, _rhythm(singer, host), _room(singer, host))
    total = math.prod(max(0.0, one.value) ** WEIGHTS[one.name] for one in scores)
    names = singer.song.name, host.song.name
    if meeting is None:
        return Match(*names, total, scores, mine, theirs)
    return Match(*names, total, scores, mine, theirs, *meeting)


def _tempo(singer: MixSong, host: MixSong) -> tuple[Score, tuple[float, float, float] | None]:
    """The stretch that they need, 1 for none down to 0 at the limit."""
    try:
        pace = common_pace(sharing_bars([host, singer])[0], None, forced=False)
    except InvalidInput as error:
        return Score("tempo", 0.0, error.message), None
    ratios = [
        song.grid.tempo_bpm / pace.factors[song.name] / pace.tempo_bpm for song in (singer, host)
    ]
    furthest = max(abs(stretch(ratio)) for ratio in ratios)
    told = [
        f"{song.name} {100 * stretch(ratio):+.1f} %"
        for song, ratio in zip((singer, host), ratios, strict=True)
        if abs(stretch(ratio)) >= 0.0005
    ]
    counts = [
        f"{name} in {'half' if factor == 2 else 'double'} time"
        for name, factor in pace.factors.items()
        if factor != 1
    ]
    reason = f"at {pace.tempo_bpm:.2f} BPM: {', '.join([*told, *counts]) or 'nobody is stretched'}"
    value = max(0.0, 1 - furthest / MOST_STRETCH) ** 0.5
    return Score("tempo", max(value, _LEAST), reason), (pace.tempo_bpm, ratios[0], ratios[1])


def _key(singer: Profile, host: Profile) -> tuple[Score, int, int]:
    """Agreement of pitch classes after the best shift, less a little for each semitone."""
    agrees = agreement(singer.voice, host.backing)
    keys = [one.song.analysis.key for one in (singer, host)]
    named = " over ".join(key or "no key" for key in keys)
    if not agrees.is_known:
        return Score("key", 0.5, f"{named}: nothing with pitch to compare"), 0, 0
    relative = max(
        range(-2 * MOST_EACH, 2 * MOST_EACH + 1),
        key=lambda step: (round(agrees.at(step), 6), -abs(step)),
    )
    mine, theirs = shared_out(relative)
    value = (agrees.at(relative) - _CLASHING) / (_AGREEING - _CLASHING)
    value = min(1.0, max(_LEAST, value)) * 0.97 ** abs(relative)
    return (
        Score("key", value, f"{named}{_steps(keys, mine, theirs)}, {_moves(agrees, relative)}"),
        mine,
        theirs,
    )


def shared_out(relative: int) -> tuple[int, int]:
    """A relative shift as one of the singer and one of the host, neither beyond two semitones."""
    mine = max(-MOST_EACH, min(MOST_EACH, relative))
    return mine, mine - relative


def _steps(keys: list[str | None], mine: int, theirs: int) -> str:
    first, second = keys
    if first is None or second is None:
        return ""
    steps = steps_between(moved(first, mine), moved(second, theirs))
    return f" ({steps} step{'s' if steps != 1 else ''} on the circle of fifths after the shift)"


def _moves(agrees: Agreement, relative: int) -> str:
    moves = f"{relative:+d} semitone{'s' if abs(relative) != 1 else ''}" if relative else "no shift"
    return f"correlation {agrees.at(relative):.2f} with {moves}, {agrees.at(0):.2f} as it is"


def _rhythm(singer: Profile, host: Profile) -> Score:
    """How alike their bars are struck: the cosine of their patterns."""
    a, b = singer.pattern, host.pattern
    scale = float(a.norm() * b.norm())
    if not scale:
        return Score("rhythm", 0.5, "one of them has no onsets to compare")
    alike = float(a @ b) / scale
    words = "the same" if alike > 0.9 else "similar" if alike > 0.7 else "different"
    return Score("rhythm", max(_LEAST, alike), f"{words} accents in the bar ({alike:.2f})")


def _room(singer: Profile, host: Profile) -> Score:
    """How much of the voice's energy lies where the instruments have little of theirs."""
    if not float(singer.voice_bands.sum()) or not float(host.backing_bands.sum()):
        return Score("room", 0.5, "one of them is silent")
    overlap = float(torch.minimum(singer.voice_bands, host.backing_bands).sum())
    alone = "" if singer.song.vocals else "; the voice was not told from the rest"
    return Score(
        "room", max(_LEAST, 1 - overlap), f"{overlap:.0%} of the spectrum is shared{alone}"
    )


def bar_pattern(song: MixSong, sounds: Iterable[Audio]) -> Tensor:
    """How strongly each sixteenth of a bar is struck, float64 `(16,)` of sum 1; 0 for silence."""
    total = torch.zeros(_STEPS_A_BAR, dtype=torch.float64)
    for sound in sounds:
        mono = resample(_mono(sound), ONSET_RATE_HZ).samples[0]
        hop = ONSET_RATE_HZ // 200
        power = mono[: len(mono) // hop * hop].view(-1, hop).square().mean(1)
        rise = (power + 1e-8).log().diff(prepend=power[:1].add(1e-8).log()).relu()
        weight = (rise * power.sqrt()).double()
        times = torch.arange(len(weight)) * hop / ONSET_RATE_HZ
        bars = torch.tensor([song.grid.bar_at(float(at)) for at in times], dtype=torch.float64)
        place = torch.round((bars % 1) * _STEPS_A_BAR).long() % _STEPS_A_BAR
        total.index_add_(0, place, weight)
    return total / total.sum().clamp_min(1e-12)


def band_shares(sounds: Iterable[Audio]) -> Tensor:
    """Shares of energy in octaves from 200 Hz up, float64 `(bands,)` of sum 1; 0 for silence."""
    total = torch.zeros(len(_BANDS_HZ) - 1, dtype=torch.float64)
    window = torch.hann_window(_WINDOW_SAMPLES)
    for sound in sounds:
        mono = _mono(sound).samples[0]
        if len(mono) < _WINDOW_SAMPLES:
            continue
        power = stft(mono, window, _WINDOW_SAMPLES).abs().square().sum(0).double()
        hz = torch.arange(len(power)) * sound.rate_hz / _WINDOW_SAMPLES
        band = torch.bucketize(hz, torch.tensor(_BANDS_HZ)) - 1
        inside = (band >= 0) & (band < len(total))
        total.index_add_(0, band[inside], power[inside])
    return total / total.sum().clamp_min(1e-12)


def _mono(sound: Audio) -> Audio:
    return Audio(sound.samples.mean(0, keepdim=True).cpu(), sound.rate_hz)
