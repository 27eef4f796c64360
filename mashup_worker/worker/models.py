"""Networks that stay ready on their device between jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import MashupError, ModelUnavailable, StorageFailed
from mashup_worker.models.demucs_engine import DemucsSeparator, EngineOptions
from mashup_worker.models.device import release_memory, resolve_device
from mashup_worker.models.load import LITE, load_separator
from mashup_worker.models.store import WeightStore
from mashup_worker.pipelines.separate import separate_audio

if TYPE_CHECKING:
    from mashup_worker.models.separator import Separator
    from mashup_worker.settings import Settings

logger = logging.getLogger(__name__)

AUTO, PREFERRED = "auto", "htdemucs"
_KEPT = 2
_WARM_UP_S, _WARM_UP_LEVEL = 1.0, 0.01


class ModelShelf:
    """Loads networks when they are first asked for, and keeps the last few. A `Models`.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: arithmetic of the networks, or `auto`.
        default: the network of jobs that name none; `auto` for htdemucs, or lite where its weights
            can't be had.
        settings: where weights are.
        compiled: whether networks are compiled when they are loaded.
    """

    def __init__(
        self,
        device: str,
        precision: str,
        default: str,
        settings: Settings,
        *,
        compiled: bool = False,
    ) -> None:
        self._place = resolve_device(device)
        # On a CPU it takes a minute and more, and the network is no faster for it.
        compiled = compiled and self._place.type == "cuda"
        self._options = EngineOptions(str(self._place), precision, compile=compiled)
        self._default, self._store = default, WeightStore(settings)
        self._kept: OrderedDict[str, Separator] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def device(self) -> str:
        """Where work is done."""
        return str(self._place)

    def separator(self, name: str | None) -> Separator:
        """A network by name, the default for None."""
        wanted = name or self._default
        with self._lock:
            if wanted not in self._kept:
                if len(self._kept) >= _KEPT:
                    self._kept.popitem(last=False)
                    release_memory(self._place)
                self._kept[wanted] = self._load(wanted)
            self._kept.move_to_end(wanted)
            return self._kept[wanted]

    def warm_up(self) -> float:
        """Load the default and run it once, so that the first job is not the slow one; seconds.

        Weights that can't be had are told and left: other jobs need none.
        """
        started_s = time.monotonic()
        try:
            separator = self.separator(None)
            if isinstance(separator, DemucsSeparator):
                separator.warm_up()
            samples = round(_WARM_UP_S * separator.rate_hz)
            noise = _WARM_UP_LEVEL * torch.randn(separator.channels, samples)
            separate_audio(separator, Audio(noise, separator.rate_hz))
        except MashupError as error:
            logger.warning("%s: %s", self._default, error.message)
        else:
            took_s = time.monotonic() - started_s
            logger.info("%s on %s is warm after %.1f s", separator.name, self.device, took_s)
        return time.monotonic() - started_s

    def release(self) -> None:
        """Give cached memory back to the device."""
        release_memory(self._place)

    def _load(self, name: str) -> Separator:
        if name != AUTO:
            return load_separator(name, self._options, self._store)
        try:
            return load_separator(PREFERRED, self._options, self._store)
        except (ModelUnavailable, StorageFailed) as error:
            logger.warning("%s; %s takes its place", error.message, LITE)
            return load_separator(LITE, self._options, self._store)
