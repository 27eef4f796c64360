"""Slots of a layer: which phrase of the vocals is sung when, and where they rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.form_phrases import section_phrases, with_breaks
from mashup_worker.mixing.planning.phrases import Phrase, sung_phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mashup_worker.analysis.form.result import Section
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.planning.tempo import CommonTempo
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

    Suitability = Callable[[Sequence[Phrase]], Sequence[float]]
    """Returns how well the backing can suit each phrase of the vocals."""

_MAX_DEFAULT_S = 240.0
_AT_BOUNDARY, _WITH_CHORUS = 0.3, 0.3


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Phrase of the mashup.

    Its role is `intro`, `vocals`, `break` or `outro`; `phrase` is sung, None where vocals rest;
    `density` is the share of the instruments that play; `section` is that of the vocal song, and
    `turns` whether a section of the mashup begins here.
    """

    role: str
    at_bar: float
    bars: float
    phrase: Phrase | None
    density: float
    section: Section | None = None
    turns: bool = True

    @property
    def end_bar(self) -> float:
        """End in the mashup."""
        return self.at_bar + self.bars


def plan_slots(
    vocal_song: MixSong,
    form: SongForm | None,
    request: MixRequest,
    tempo: CommonTempo,
    suitability: Suitability | None = None,
) -> tuple[list[Slot], tuple[str, ...]]:
    """Return the slots of a layer, and notes.

    Where more phrases are sung than the mashup has room for, consecutive ones are chosen: those
    that the backing suits best, from the start of a section, with a chorus if there is one.

    Raises:
        InvalidInput: the song has no vocals, or they fill no phrase.
    """
    stem = vocal_song.vocals
    if stem is None:
        raise InvalidInput(f"{vocal_song.name}: no vocals; name a song that has some")
    factor = tempo.factors[vocal_song.name]
    phrases = sung_phrases(
        vocal_song, stem.kind, section_phrases(vocal_song, form, factor, tempo.phrase_bars)
    )
    if not phrases:
        raise InvalidInput(
            f"{vocal_song.name}: its vocals fill no phrase; name a song with more vocals"
        )
    size = phrases[0].source_bars / factor
    roles = _roles(request, len(phrases), size, tempo.bar_s)
    count = roles.count("vocals")
    if form is not None and count < len(phrases):
        phrases = _best_run(phrases, count, form, suitability)
    slots = _filled(with_breaks(roles, phrases, form), phrases, size, request, form)
    if count <= len(phrases):
        return slots, ()
    number = "1 phrase" if len(phrases) == 1 else f"{len(phrases)} phrases"
    return slots, (f"{vocal_song.name}: its vocals have {number}, which repeat",)


def _filled(
    roles: Sequence[str],
    phrases: Sequence[Phrase],
    size: float,
    request: MixRequest,
    form: SongForm | None,
) -> list[Slot]:
    density = request.vibe_settings.density.at(request.intensity)
    intro = roles.count("intro")
    slots: list[Slot] = []
    sung = 0
    for index, role in enumerate(roles):
        slot_density, phrase, section = density, None, None
        if role == "vocals":
            slot_density, phrase = 1.0, phrases[sung % len(phrases)]
            section = _section_of(form, phrase)
            sung += 1
        elif role == "intro":  # fills up from phrase to phrase
            slot_density = density + (1 - density) * index / intro
        before = slots[-1] if slots else None
        slots.append(
            Slot(
                role=role,
                at_bar=index * size,
                bars=size,
                phrase=phrase,
                density=slot_density,
                section=section,
                turns=before is None or before.role != role or before.section is not section,
            )
        )
    return slots


def _section_of(form: SongForm | None, phrase: Phrase) -> Section | None:
    return None if form is None else form.section_of(phrase.from_bar, phrase.source_bars)


def _best_run(
    phrases: Sequence[Phrase], count: int, form: SongForm, suitability: Suitability | None
) -> tuple[Phrase, ...]:
    """Return the consecutive phrases to sing; of equally good ones the first."""
    suits = list(suitability(phrases)) if suitability else [0.0] * len(phrases)
    sections = [_section_of(form, one) for one in phrases]

    def worth(first: int) -> float:
        run = range(first, first + count)
        has_chorus = any(
            one is not None and one.role == "chorus" for one in sections[first:][:count]
        )
        boundary = float(form.boundary[round(phrases[first].from_bar)])
        mean = sum(suits[index] for index in run) / count
        return round(mean + _AT_BOUNDARY * boundary + _WITH_CHORUS * has_chorus, 6)

    first = max(range(len(phrases) - count + 1), key=lambda start: (worth(start), -start))
    return tuple(phrases[first : first + count])


def _roles(request: MixRequest, available: int, size: float, bar_s: float) -> list[str]:
    vibe, intensity = request.vibe_settings, request.intensity
    phrase_s = size * bar_s
    intro = max(1, round(vibe.intro_bars.at(intensity) / size))
    sung_in_a_row = round(vibe.break_every_phrases.at(intensity))
    if request.length_s is None:
        breaks = (available - 1) // sung_in_a_row if sung_in_a_row else 0
        body = min(available + breaks, max(1, int(_MAX_DEFAULT_S / phrase_s)))
        outro = 1
    else:
        total = max(1, round(request.length_s / phrase_s))
        intro = min(intro, total // 3)
        outro = 1 if total - intro >= 3 else 0
        body = total - intro - outro
    middle = [
        "break" if sung_in_a_row and (index + 1) % (sung_in_a_row + 1) == 0 else "vocals"
        for index in range(body)
    ]
    middle[-1] = "vocals"
    return ["intro"] * intro + middle + ["outro"] * outro
