"""Selection of the time-stretching engine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from mashup_worker.dsp.stretch.phase_vocoder import TensorStretcher
from mashup_worker.dsp.stretch.slices import SliceStretcher
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.dsp.stretch.engine import StretchEngine

AUTO: Mapping[str, str] = {"drums": "slices", "percussion": "slices"}
OTHERWISE = "tensor"
"""Engine of `auto` by kind of stem: slices for percussive stems, the phase vocoder for all others.
Both are always available, and run on the device of the sound."""


def _rubberband(quality: Literal["fine", "fast"]) -> StretchEngine:
    from mashup_worker.dsp.stretch.rubberband import RubberBand

    engine = RubberBand(quality)
    engine.require()
    return engine


def _signalsmith() -> StretchEngine:
    from mashup_worker.dsp.stretch.signalsmith import Signalsmith

    return Signalsmith()


ENGINES: Mapping[str, Callable[[], StretchEngine]] = {
    "tensor": TensorStretcher,
    "slices": SliceStretcher,
    "rubberband-r3": partial(_rubberband, "fine"),
    "rubberband-r2": partial(_rubberband, "fast"),
    "rubberband": partial(_rubberband, "fine"),
    "signalsmith": _signalsmith,
}
"""Every engine by name; `rubberband` is its R3 engine."""

ENGINE_NAMES = ("auto", *ENGINES)
"""Names that `choose_engine` accepts."""


def find_engine(name: str) -> StretchEngine:
    """Return the engine with this name.

    Raises:
        InvalidInput: no engine has this name.
        EngineUnavailable: its command is not installed.
    """
    if name not in ENGINES:
        raise InvalidInput(f"engine: {name!r} is none of {', '.join(ENGINE_NAMES)}")
    return ENGINES[name]()


def choose_engine(name: str, kind: str) -> StretchEngine:
    """Return an engine as `find_engine` does, or for `auto` the best for a kind of stem."""
    return find_engine(AUTO.get(kind, OTHERWISE) if name == "auto" else name)
