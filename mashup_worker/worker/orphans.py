"""Results that no row names: of attempts that died, or lost their lease, after writing."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mashup_worker.db.publishing import named_keys
from mashup_worker.storage.open import open_storage
from mashup_worker.storage.orphans import sweep
from mashup_worker.worker.objects import RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.db.database import Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.orphans import SweepResult

logger = logging.getLogger(__name__)


def sweep_results(database: Database, settings: ServiceSettings, *, dry_run: bool) -> SweepResult:
    """Remove results that no row names and that are older than the grace.

    Raises:
        StorageFailed, ServiceUnavailable: the store or the database can't be used.
    """

    def is_named(keys: Sequence[str]) -> set[str]:
        with database.transaction() as connection:
            return named_keys(connection, keys)

    result = sweep(
        open_storage(settings.storage),
        RESULTS,
        is_named,
        older_than_s=settings.results.orphan_grace_s,
        now=datetime.now(UTC),
        dry_run=dry_run,
    )
    if result.removed:
        logger.info("orphan sweep: %d objects", len(result.removed))
    return result
