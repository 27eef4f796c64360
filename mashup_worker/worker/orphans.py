"""Removal of results that no row references, left by attempts that died or lost their lease."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mashup_worker.audio.player_names import waveform_beside
from mashup_worker.db.publishing import referenced_keys
from mashup_worker.storage.objects import open_storage
from mashup_worker.storage.orphans import sweep
from mashup_worker.storage.sources import RESULTS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.db.database import Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.orphans import SweepResult

logger = logging.getLogger(__name__)


def sweep_results(database: Database, settings: ServiceSettings, *, dry_run: bool) -> SweepResult:
    """Remove results without a reference that are older than `orphan_grace_s`.

    Raises:
        StorageFailed, ServiceUnavailable: the store or the database is unavailable.
    """

    def referenced(keys: Sequence[str]) -> set[str]:
        # No row names a frame index: it is kept with the waveform beside it.
        named = {key: waveform_beside(key) for key in keys}
        with database.transaction() as connection:
            needed = referenced_keys(connection, list(named.values()))
        return {key for key, name in named.items() if name in needed}

    result = sweep(
        open_storage(settings.storage),
        RESULTS_PREFIX,
        referenced,
        older_than_s=settings.results.orphan_grace_s,
        now=datetime.now(UTC),
        dry_run=dry_run,
    )
    if result.removed:
        logger.info("orphan sweep: %d objects", len(result.removed))
    return result
