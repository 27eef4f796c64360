"""Which model a command uses: the one asked for, or for `auto` the best that can be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.commands.progress import song_progress
from mashup_worker.errors import ModelUnavailable, StorageFailed
from mashup_worker.models.load import LITE, load_separator

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.models.demucs_engine import EngineOptions
    from mashup_worker.models.separator import Separator
    from mashup_worker.settings import Settings

AUTO = "auto"
PREFERRED = "htdemucs"


@dataclass(frozen=True)
class ModelRequest:
    """What the command line says about the model.

    Attributes:
        name: a model, or `auto`.
        repository: a folder of checkpoints to take it from.
        options: how to run it.
    """

    name: str
    repository: Path | None
    options: EngineOptions

    def known_stems(self) -> tuple[str, ...] | None:
        """The stems it makes, where that is known without loading it.

        Raises:
            UnknownModel: the catalogue has no such model.
        """
        from mashup_worker.models.catalogue import find

        if self.repository is not None:
            return None
        return find(PREFERRED if self.name == AUTO else self.name).stems


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready.

    Attributes:
        separator: the model.
        fallback_reason: why it is not the preferred one; None where it is what was asked for.
    """

    separator: Separator
    fallback_reason: str | None


def load_model(request: ModelRequest, settings: Settings, quiet: bool) -> LoadedModel:
    """Load what was asked for; `auto` falls back to `lite`.

    Raises:
        MashupError: as `load_separator`.
    """
    from mashup_worker.models.store import WeightStore

    store = WeightStore(settings)
    fallback_reason = None
    name = PREFERRED if request.name == AUTO else request.name
    with song_progress(f"weights of {name}", not quiet) as report:
        on_fetch = (lambda done, total: report("fetch", done / total)) if report else None
        try:
            separator = load_separator(name, request.options, store, request.repository, on_fetch)
        except (ModelUnavailable, StorageFailed) as error:
            if request.name != AUTO:
                raise
            fallback_reason = error.message
            separator = load_separator(LITE, request.options, store)
    return LoadedModel(separator, fallback_reason)
