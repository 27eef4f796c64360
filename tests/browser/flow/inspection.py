"""What every screen of the studio must satisfy, and pictures of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.flow.loading import IS_COMPLETE

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.flow.visitor import Visitor

GRAVE = ("serious", "critical")

_HAS_NO_MOTION = "() => !document.getAnimations().length"
_IS_TOO_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Inspection:
    """Page whose screens are inspected one after another.

    Attributes:
        faults: what is wrong, a line each.
    """

    def __init__(self, visitor: Visitor, page: Page, name: str) -> None:
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright",
            reason="axe is not installed: pip install axe-playwright-python",
        )
        self.page = page
        self._visitor = visitor
        self.faults: list[str] = []
        self._name = name
        self._axe = axe.Axe()
        folder = os.environ.get("STUDIO_SCREENSHOTS")
        self._folder = Path(folder) if folder else None

    def look(self, screen: str) -> None:
        """Wait until a screen is complete; note what axe finds, and whether it is too wide."""
        self.page.wait_for_function(IS_COMPLETE)
        self.page.wait_for_function(_HAS_NO_MOTION)
        if self.page.evaluate(_IS_TOO_WIDE):
            self.faults.append(f"{screen}: wider than the window")
        with self._visitor.unwatched():
            if self._folder is not None:
                path = self._folder / f"{screen}-{self._name}.png"
                self.page.evaluate("scrollTo(0, 0)")
                self.page.screenshot(path=path, full_page=True)
            found: Any = self._axe.run(self.page).response
        for violation in found["violations"]:
            if violation["impact"] in GRAVE:
                places = [node["html"][:200] for node in violation["nodes"]]
                self.faults.append(f"{screen}: {violation['id']}: {violation['help']}: {places}")
