"""Analyses as JSON values, which people may have edited."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from mashup_worker.analysis.key_names import KEYS
from mashup_worker.analysis.result import Analysis
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANALYSES = TypeAdapter(Analysis)
_TIME_SIGNATURE = re.compile(r"[1-9]\d?/(1|2|4|8|16|32)")


def parse_analysis(document: Mapping[str, Any] | None) -> Analysis:
    """Return an analysis of JSON values.

    Raises:
        InvalidInput: a value is invalid; the message names the field.
    """
    try:
        analysis = _ANALYSES.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"])
        raise InvalidInput(f"{field or 'analysis'}: {first['msg']}") from error
    for field, reason in _faults(analysis):
        raise InvalidInput(f"{field}: {reason}")
    return analysis


def read_analysis(document: Mapping[str, Any] | None) -> Analysis | None:
    """Return the analysis in a job's output; None for one in another format."""
    try:
        return parse_analysis(document)
    except InvalidInput:
        return None


def _faults(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason of every value that no analysis has."""
    if not 0 <= analysis.duration_s < math.inf:
        yield "duration_s", "no duration"
    if analysis.tempo_bpm is not None and not 1 <= analysis.tempo_bpm < math.inf:
        yield "tempo_bpm", "less than 1 BPM, or no number"
    if analysis.beats_per_bar is not None and analysis.beats_per_bar < 1:
        yield "beats_per_bar", "less than 1"
    if analysis.time_signature is not None and not _TIME_SIGNATURE.fullmatch(
        analysis.time_signature
    ):
        yield "time_signature", "no time signature such as 4/4"
    if analysis.key is not None and analysis.key not in KEYS:
        yield "key", f"unknown key {analysis.key!r}; use one of {', '.join(KEYS)}"
    for name in ("beats_s", "downbeats_s"):
        if not _rise((-math.inf, *getattr(analysis, name), math.inf)):
            yield name, "times that do not rise"
    for name in ("sections", "loops"):
        for index, one in enumerate(getattr(analysis, name)):
            if not _rise((-math.inf, one.start_s, one.stop_s, math.inf)):
                yield f"{name}.{index}.stop_s", "not after start_s"
    for index, section in enumerate(analysis.sections):
        if not section.label.isprintable():
            yield f"sections.{index}.label", "letters that cannot be printed"
    for index, loop in enumerate(analysis.loops):
        if loop.bars < 1:
            yield f"loops.{index}.bars", "less than 1"
    for index, cue in enumerate(analysis.cue_points):
        if not math.isfinite(cue.time_s):
            yield f"cue_points.{index}.time_s", "no number"


def _rise(times_s: tuple[float, ...]) -> bool:
    """Return whether times rise, which none with NaN do."""
    return all(a < b for a, b in pairwise(times_s))
