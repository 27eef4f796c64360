"""Check of the weight cache."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.models.catalogue import catalogue
from mashup_worker.models.choice import PREFERRED
from mashup_worker.models.store import WeightStore

if TYPE_CHECKING:
    from mashup_worker.doctor.finding import Severity
    from mashup_worker.settings import Settings


def check_model_cache(settings: Settings) -> Finding:
    """Report the cached models, and whether the folder is writable and has space."""
    folder = settings.model_cache
    store = WeightStore(settings)
    cached = [name for name in store.names() if store.has(name)]
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(place).free
    writable = _is_writable(place)
    details = {
        "folder": str(folder),
        "cached": cached,
        "free_bytes": free_bytes,
        "writable": writable,
        "mirror": settings.model_mirror,
        "offline": settings.offline,
    }
    holds = f"{folder} holds {', '.join(cached) or 'no models'}"
    mirror = settings.model_mirror
    severity: Severity = "warning"
    remedy: str | None
    if not writable:
        severity = "note" if cached else "warning"
        message = f"{holds}; {place} is not writable"
        remedy = "make it writable, or set MASHUP_MODEL_CACHE to a writable folder"
    elif mirror and "://" not in mirror and not Path(mirror).expanduser().is_dir():
        message = f"{holds}; the mirror {mirror} is not a folder"
        remedy = "correct or unset MASHUP_MODEL_MIRROR"
    elif PREFERRED in cached:
        severity, message, remedy = "ok", f"{holds}; {free_bytes / 1e9:.0f} GB free", None
    elif free_bytes < catalogue()[PREFERRED].size_bytes:
        message = f"{holds}; {place} is too full for one"
        remedy = "free space, or set MASHUP_MODEL_CACHE to another disk"
    else:
        severity, message = "note", holds
        remedy = f"fetch the default model with `mashup models pull {PREFERRED}`"
    return Finding("model cache", severity, message, remedy, details)


def _is_writable(folder: Path) -> bool:
    """Return whether a file can be created; permission bits miss read-only disks and root."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
