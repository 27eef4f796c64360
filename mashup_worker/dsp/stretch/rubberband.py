"""Rubber Band through its command, which keeps its GPL code a separate program."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyrubberband
import torch

from mashup_worker.dsp.stretch.engine import check, exactly
from mashup_worker.errors import EngineUnavailable, MashupError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.stretch.engine import Change

    Samples = NDArray[np.float32]

COMMAND = "rubberband"

_PEAK = 0.2
"""pyrubberband passes 16-bit files, and the command reduces the gain of a file that would clip.
Limited sound grows to four times its peak when its phases move; at a fifth of full
scale that fits, and what rounding adds lies 84 dB below the peak."""

_SILENT = 1e-9


@dataclass(frozen=True)
class RubberBand:
    """Rubber Band by C. Cannam: R3 for `fine`; R2, which smears attacks, for `fast`."""

    quality: Literal["fine", "fast"] = "fine"

    @property
    def name(self) -> str:
        """Name of the engine."""
        return "rubberband-r3" if self.quality == "fine" else "rubberband-r2"

    @staticmethod
    def available() -> bool:
        """Return whether the command is installed."""
        return shutil.which(COMMAND) is not None

    def require(self) -> None:
        """Raise `EngineUnavailable` if the command is not installed."""
        if not self.available():
            raise EngineUnavailable(
                f"engine {self.name}: its command {COMMAND} is not installed "
                "(Debian and Ubuntu: rubberband-cli)"
            )

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """Return the changed sound; see `StretchEngine.stretch`.

        Raises:
            EngineUnavailable: the command is not installed.
            MashupError: the command failed.
        """
        check(audio, change)
        if change.is_nothing:
            return audio
        length_samples = change.time_map.target_samples
        peak = float(audio.samples.abs().max())
        if peak < _SILENT:
            return exactly(audio.samples.new_zeros(audio.channels, 0), audio, length_samples)
        self.require()
        scaled = audio.samples.cpu() * (_PEAK / peak)
        changed = torch.from_numpy(self._changed(scaled.numpy(), audio.sample_rate, change))
        return exactly(changed * (peak / _PEAK), audio, length_samples)

    def _changed(self, samples: Samples, sample_rate: int, change: Change) -> Samples:
        time_map, pitch = change.time_map, 2 ** (change.semitones / 12)
        # Stretched separately, the channels would lose their phase relations.
        options = {"--centre-focus": "", "--time": repr(time_map.ratio)}
        options["--fine" if self.quality == "fine" else "--fast"] = ""
        if change.semitones:
            options["--pitch"] = repr(float(change.semitones))
            if change.keep_formants:
                options["--formant"] = ""
        # R3 takes an anchor at the start for an empty piece, and fails. R2 counts
        # targets before it resamples.
        unit = 1.0 if self.quality == "fine" else pitch
        targets = [round(one * unit) for one in time_map.target[1:]]
        anchors = list(zip(time_map.source[1:], targets, strict=True))
        try:
            changed = pyrubberband.timemap_stretch(
                np.ascontiguousarray(samples.T), sample_rate, anchors, options
            )
        except subprocess.CalledProcessError as error:
            raise MashupError(f"{COMMAND}: ended with status {error.returncode}") from error
        except (OSError, RuntimeError) as error:
            raise MashupError(f"{COMMAND}: cannot stretch the sound: {error}") from error
        return np.ascontiguousarray(changed.T)
