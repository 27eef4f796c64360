"""Compatibility of stems with a reference: scores of tempo and key, and how they come about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from mashup_worker.analysis.key_names import KEYS
from mashup_worker.api.documents import Document
from mashup_worker.db.stems import Reference, Scoring
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import camelot_distance
from mashup_worker.mixing.scores import (
    MIN_SCORE,
    UNKNOWN_SCORE,
    WEIGHTS,
    fit_tempo,
    key_score,
    tempo_score,
)
from mashup_worker.mixing.stretch_limit import MAX_STRETCH

if TYPE_CHECKING:
    from mashup_worker.db.stems import Stem

_PAIR_WEIGHT = WEIGHTS["tempo"] + WEIGHTS["key"]


class TempoFit(Document):
    """How a stem fits the tempo of the reference.

    Attributes:
        score: 0 to 1; 0.5 if a tempo is unknown.
        speed_change: change of the stem's speed, 0.05 for 5 % faster.
        factor: 0.5 if the stem plays in half time, 2 in double time.
    """

    score: float = Field(examples=[0.866])
    speed_change: float | None = Field(examples=[0.05])
    factor: float | None = Field(examples=[1.0])


class KeyFit(Document):
    """How a stem fits the key of the reference.

    Attributes:
        score: 0 to 1; 0.5 if a key is unknown.
        camelot_distance: steps on the Camelot wheel; 1 for neighbors.
    """

    score: float = Field(examples=[0.857])
    camelot_distance: int | None = Field(examples=[1])


class Compatibility(Document):
    """Compatibility with the reference: the geometric mean of the scores of tempo and key."""

    score: float = Field(examples=[0.8616])
    tempo: TempoFit
    key: KeyFit


def usable_reference(reference: Reference) -> Reference:
    """Return a reference whose tempo is positive and whose key is one of ours, or else None.

    Raises:
        InvalidInput: neither is known.
    """
    tempo_bpm = reference.tempo_bpm or None
    key = known_key(reference.musical_key)
    if tempo_bpm is None and key is None:
        raise InvalidInput(
            "compatible_with: neither its tempo nor its key is known; analyze it first"
        )
    return replace(reference, tempo_bpm=tempo_bpm, musical_key=key)


def scoring_for(reference: Reference) -> Scoring:
    """Return the numbers with which the database scores stems against a reference."""
    key = reference.musical_key
    return Scoring(
        key_scores={} if key is None else {other: key_score(key, other) for other in KEYS},
        max_change=MAX_STRETCH,
        min_score=MIN_SCORE,
        unknown_score=UNKNOWN_SCORE,
        tempo_weight=WEIGHTS["tempo"] / _PAIR_WEIGHT,
        key_weight=WEIGHTS["key"] / _PAIR_WEIGHT,
    )


def compatibility(stem: Stem, reference: Reference) -> Compatibility:
    """Return the document of a stem's score."""
    tempo = TempoFit(score=UNKNOWN_SCORE, speed_change=None, factor=None)
    if stem.tempo_bpm and reference.tempo_bpm:
        fit = fit_tempo(stem.tempo_bpm, reference.tempo_bpm)
        tempo = TempoFit(
            score=round(tempo_score(fit.change), 4),
            speed_change=round(fit.change, 4),
            factor=fit.factor,
        )
    key = KeyFit(score=UNKNOWN_SCORE, camelot_distance=None)
    if stem.musical_key in KEYS and reference.musical_key is not None:
        key = KeyFit(
            score=round(key_score(reference.musical_key, stem.musical_key), 4),
            camelot_distance=camelot_distance(reference.musical_key, stem.musical_key),
        )
    return Compatibility(score=float(stem.score or 0), tempo=tempo, key=key)


def known_key(key: str | None) -> str | None:
    """Return a key if it is one of the 24 names of this package, else None."""
    return key if key in KEYS else None
