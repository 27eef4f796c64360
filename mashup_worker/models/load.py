"""From a model's name to a separator that is ready on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.models.demucs_engine import EngineOptions
    from mashup_worker.models.separator import Separator
    from mashup_worker.models.store import OnBytes, WeightStore

LITE = "lite"
"""Name of the offline preview model, whose weights come with a package."""


def load_separator(
    name: str,
    options: EngineOptions,
    store: WeightStore,
    repository: Path | None = None,
    on_fetch: OnBytes | None = None,
) -> Separator:
    """Load the model `name`, and nothing else in its place.

    Args:
        name: a model of the catalogue, or of `repository` where one is given.
        options: device, precision and schedule.
        store: where weights are kept, and fetched into where they are missing.
        repository: a folder of checkpoints to take instead of the store.
        on_fetch: called with the bytes fetched and the bytes of the model.

    Raises:
        UnknownModel: neither the catalogue nor the repository has it.
        ModelUnavailable: its weights are not to be had, or damaged.
        DeviceUnavailable: the device is not in this machine.
        InvalidInput: options that mean nothing.
    """
    if name == LITE and repository is None:
        from mashup_worker.models.device import resolve_device
        from mashup_worker.models.lite.separator import load_lite

        return load_lite(str(resolve_device(options.device)), options.precision)
    from mashup_worker.models.demucs_engine import DemucsSeparator
    from mashup_worker.models.repository import load_bag

    if repository is not None:
        return DemucsSeparator(name, load_bag(name, repository), options)
    folder = store.ensure(name, on_fetch)
    try:
        bag = load_bag(name, folder)
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"{error.message}; get it again with `mashup models pull {name}`"
        ) from error
    return DemucsSeparator(name, bag, options)
