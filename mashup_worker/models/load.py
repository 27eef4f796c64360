"""Load a separator by the name of its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable, StorageFailed

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.separator import Separator
    from mashup_worker.models.store import OnBytes, WeightStore

AUTO = "auto"
"""Name that stands for the preferred model, or for `lite` where its weights are unavailable."""

PREFERRED = "htdemucs"
"""Model that `auto` loads where it can."""

LITE = "lite"
"""Offline preview model, whose weights come with a package."""


@dataclass(frozen=True)
class LoadedModel:
    """Separator ready on its device.

    Attributes:
        fallback_reason: why `auto` loaded `lite` instead of the preferred model; None otherwise.
    """

    separator: Separator
    fallback_reason: str | None = None


def load_model(
    name: str,
    options: EngineOptions,
    store: WeightStore,
    *,
    repository: Path | None = None,
    on_fetch: OnBytes | None = None,
) -> LoadedModel:
    """Load the model `name`; `auto` loads the preferred model, or `lite` without its weights.

    Missing weights are fetched into the store, and `on_fetch` is called with the bytes fetched and
    the bytes of the model. A `repository`, a folder of checkpoints, replaces catalogue and store.

    Raises:
        UnknownModel: neither the catalogue nor the repository has it.
        ModelUnavailable: its weights are missing or damaged.
        DeviceUnavailable: the machine lacks the device.
        InvalidInput: an option is invalid.
    """
    wanted = PREFERRED if name == AUTO else name
    try:
        return LoadedModel(_load(wanted, options, store, repository, on_fetch))
    except (ModelUnavailable, StorageFailed) as error:
        if name != AUTO:
            raise
        return LoadedModel(_load(LITE, options, store), error.message)


def _load(
    name: str,
    options: EngineOptions,
    store: WeightStore,
    repository: Path | None = None,
    on_fetch: OnBytes | None = None,
) -> Separator:
    """Load exactly the model `name`."""
    if name == LITE and repository is None:
        from mashup_worker.models.device import resolve_device
        from mashup_worker.models.lite.separator import load_lite

        return load_lite(str(resolve_device(options.device)), options.precision)
    from mashup_worker.models.checkpoints.repository import load_bag
    from mashup_worker.models.engine import NetworkSeparator

    if repository is not None:
        return NetworkSeparator(name, load_bag(name, repository), options)
    folder = store.ensure(name, on_fetch)
    try:
        bag = load_bag(name, folder)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"{error.message}; run `mashup models pull {name}`") from error
    return NetworkSeparator(name, bag, options)
