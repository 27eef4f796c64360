"""Cache of models that stay loaded on their device between jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import DeviceLost, MashupError
from mashup_worker.licenses import ALL_LICENSES
from mashup_worker.models.choice import AUTO
from mashup_worker.models.device import release_memory, resolve_device
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import load_model
from mashup_worker.models.store import WeightStore
from mashup_worker.pipelines.separation.separate import separate_audio

if TYPE_CHECKING:
    from mashup_worker.licenses import LicenseRule
    from mashup_worker.models.separator import Separator
    from mashup_worker.settings import Settings

logger = logging.getLogger(__name__)

_CAPACITY = 2
_WARM_UP_S, _WARM_UP_LEVEL = 1.0, 0.01


class ModelCache:
    """Loads models on demand and keeps the last two.

    `default` is the model of jobs that name none; `auto` is the best one that is allowed and
    available. `rule` allows licenses. `compiled` has an effect on CUDA only.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        default: str,
        device: str = "auto",
        precision: str = "auto",
        compiled: bool = False,
        rule: LicenseRule = ALL_LICENSES,
    ) -> None:
        self._device = resolve_device(device)
        # On a CPU, compiling takes over a minute and gains nothing.
        compiled = compiled and self._device.type == "cuda"
        self._options = EngineOptions(str(self._device), precision, compile=compiled)
        self._default, self._store, self._rule = default, WeightStore(settings), rule
        self._models: OrderedDict[tuple[str, str | None], Separator] = OrderedDict()
        self._lock = threading.Lock()
        self._loaded: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """Device of the models."""
        return str(self._device)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the loaded models, the last used at the end; does not wait for a load."""
        return self._loaded

    def separator(self, name: str | None) -> Separator:
        """Return a loaded model by name; None stands for the default.

        Raises:
            UnknownModel: no model has this name.
            ModelNotAllowed: its license is not allowed.
            ModelUnavailable: its weights are missing or damaged.
        """
        wanted = name or self._default
        # Other weights may be added under the same name while the worker runs.
        key = wanted, None if wanted == AUTO else self._store.weights_sha256(wanted)
        with self._lock:
            if key not in self._models:
                if len(self._models) >= _CAPACITY:
                    self._models.popitem(last=False)
                    self.free_memory()
                self._models[key] = self._load(wanted)
            self._models.move_to_end(key)
            self._loaded = tuple(model.name for model in self._models.values())
            return self._models[key]

    def warm_up(self) -> None:
        """Load the default model and run it once, so that the first job does not wait for that.

        Missing weights are logged, since other job types need none.

        Raises:
            DeviceLost: this process can no longer use the device.
        """
        started_s = time.monotonic()
        try:
            separator = self.separator(None)
            samples = round(_WARM_UP_S * separator.sample_rate)
            noise = _WARM_UP_LEVEL * torch.randn(separator.channels, samples)
            separate_audio(separator, Audio(noise, separator.sample_rate))
        except DeviceLost:
            raise
        except MashupError as error:
            logger.warning("%s: %s", self._default, error.message)
        else:
            took_s = time.monotonic() - started_s
            logger.info("%s on %s: ready after %.1f s", separator.name, self.device, took_s)

    def free_memory(self) -> None:
        """Return cached memory to the device."""
        release_memory(self._device)

    def _load(self, name: str) -> Separator:
        loaded = load_model(name, self._options, self._store, rule=self._rule)
        if loaded.fallback_reason:
            logger.warning("%s; using %s", loaded.fallback_reason, loaded.separator.name)
        separator = loaded.separator
        if self._device.type == "cuda":
            # The process stays: recordings with the fastest algorithms soon repay their seconds.
            separator.warm_up()
        return separator
