"""Rubber Band, through its command and pyrubberband.

The library is GPL; calling its command keeps it apart from this program. It is used where it is
installed.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyrubberband
import torch

from mashup_worker.dsp.stretch.engine import check, exactly
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.stretch.engine import Change

COMMAND = "rubberband"

_PEAK = 0.5
"""pyrubberband hands sound over in 16-bit files. At half of full scale nothing that stretching adds
clips, and what rounding adds lies 90 dB below."""


@dataclass(frozen=True)
class RubberBand:
    """Rubber Band's engines.

    Attributes:
        quality: `fine` for its R3 engine, `fast` for R2, which takes a sixth of the time.
    """

    quality: Literal["fine", "fast"] = "fine"
    keeps_formants: bool = True

    @property
    def name(self) -> str:
        """What people call it by."""
        return "rubberband-r3" if self.quality == "fine" else "rubberband-r2"

    @staticmethod
    def available() -> bool:
        """Whether the command is there."""
        return shutil.which(COMMAND) is not None

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """The sound, changed; see `StretchEngine.stretch`.

        Raises:
            MashupError: the command failed.
        """
        check(audio, change)
        time_map = change.time_map
        peak = float(audio.samples.abs().max()) if audio.length_samples else 0.0
        if change.is_nothing:
            return audio
        if not peak:
            return exactly(audio.samples, audio, time_map.target_samples)
        scale = _PEAK / peak
        options = {"--fine" if self.quality == "fine" else "--fast": ""}
        if change.semitones:
            options["--pitch"] = repr(float(change.semitones))
            if change.keep_formants:
                options["--formant"] = ""
        samples = np.ascontiguousarray((scale * audio.samples).cpu().numpy().T)
        anchors = list(zip(time_map.source[1:], time_map.target[1:], strict=True))
        try:
            changed = pyrubberband.timemap_stretch(samples, audio.rate_hz, anchors, options)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            raise MashupError(f"{COMMAND} could not stretch the sound: {error}") from error
        whole = torch.from_numpy(np.ascontiguousarray(changed.T)) / scale
        return exactly(whole, audio, time_map.target_samples)
