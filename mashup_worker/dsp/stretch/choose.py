"""Which engine stretches what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.dsp.stretch.phase_vocoder import TensorStretcher
from mashup_worker.dsp.stretch.slices import SliceStretcher
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.dsp.stretch.engine import StretchEngine

AUTO = "auto"


def _rubberband_fine() -> StretchEngine:
    return _rubberband("fine")


def _rubberband_fast() -> StretchEngine:
    return _rubberband("fast")


def _rubberband(quality: str) -> StretchEngine:
    from mashup_worker.dsp.stretch.rubberband import COMMAND, RubberBand

    if not RubberBand.available():
        raise InvalidInput(
            f"engine rubberband: its command {COMMAND} is not installed "
            "(Debian and Ubuntu: rubberband-cli)"
        )
    return RubberBand("fine" if quality == "fine" else "fast")


def _signalsmith() -> StretchEngine:
    from mashup_worker.dsp.stretch.signalsmith import Signalsmith

    return Signalsmith()


ENGINES: Mapping[str, Callable[[], StretchEngine]] = {
    "tensor": TensorStretcher,
    "slices": SliceStretcher,
    "rubberband": _rubberband_fine,
    "rubberband-r3": _rubberband_fine,
    "rubberband-r2": _rubberband_fast,
    "signalsmith": _signalsmith,
}
"""Every engine by name; `rubberband` is its finer one."""

ENGINE_NAMES = (AUTO, *ENGINES)

BY_KIND: Mapping[str, str] = {"drums": "slices"}
OTHERWISE = "tensor"
"""What `auto` picks: slices for drums, as attacks stay untouched; the project's own vocoder for all
else, which is everywhere and runs on the device where the sound is."""


def choose_engine(name: str, kind: str) -> StretchEngine:
    """The engine of a name, or for `auto` the best for a kind of stem.

    Raises:
        InvalidInput: there is no such engine, or its command is not installed.
    """
    if name == AUTO:
        name = BY_KIND.get(kind, OTHERWISE)
    if name not in ENGINES:
        raise InvalidInput(f"unknown engine {name!r}: one of {', '.join(ENGINE_NAMES)}")
    return ENGINES[name]()
