"""The model that a command uses, as the command line names it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.progress import progress_bar
from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.load import AUTO, PREFERRED, LoadedModel, load_model

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.store import WeightStore
    from mashup_worker.settings import Settings


@dataclass(frozen=True)
class ModelRequest:
    """Model asked for on the command line: a name or `auto`, and a folder that holds it."""

    name: str
    repository: Path | None
    options: EngineOptions

    def known_stems(self) -> tuple[str, ...] | None:
        """Return the model's stems, or None where only loading it can show them.

        Raises:
            UnknownModel: no model has this name.
        """
        if self.repository is not None:
            return None
        return self._store.find(PREFERRED if self.name == AUTO else self.name).stems

    @cached_property
    def weights_sha256(self) -> str | None:
        """Digest of checkpoints that the name alone does not identify.

        They are in `repository`, or were added to the cache. Empty if `auto` has to do without
        them; None for the files of the catalogue.

        Raises:
            UnknownModel, ModelUnavailable: as `load_bag`.
        """
        if self.repository is None:
            return None if self.name == AUTO else self._store.weights_sha256(self.name)
        from mashup_worker.models.checkpoints.repository import weights_sha256

        if self.name != AUTO:
            return weights_sha256(self.name, self.repository)
        try:
            return weights_sha256(PREFERRED, self.repository)
        except ModelUnavailable:
            return ""

    @cached_property
    def _store(self) -> WeightStore:
        from mashup_worker.commands.shared.failure import settings_or_fail
        from mashup_worker.models.store import WeightStore

        return WeightStore(settings_or_fail())


def load_requested(request: ModelRequest, settings: Settings, quiet: bool) -> LoadedModel:
    """Load the model asked for, with a progress bar while its weights are fetched.

    Raises:
        MashupError: as `load_model`.
    """
    from mashup_worker.models.store import WeightStore

    name = PREFERRED if request.name == AUTO else request.name
    with progress_bar(1, not quiet, f"weights of {name}", "bytes") as bar:
        return load_model(
            request.name,
            request.options,
            WeightStore(settings),
            repository=request.repository,
            on_fetch=partial(bar.begin, None),
        )
