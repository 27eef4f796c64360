"""Documentation, docstrings and messages use plain technical English."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BANNED = re.compile(
    r"\b(?:tells?|told|nobody|somebody|strangers?|apart|whatever|whoever|nothing (?:of|but)|"
    r"for good|now and then|what (?:is|was|it|they|can|there)|that there (?:is|are)|"
    r"there is none|doorbells?|chores?|lanes?|knows? no|does not know|by itself)\b",
    re.IGNORECASE,
)
BRITISH = re.compile(
    r"\b\w*(?:analys(?:e|ed|er|es|ing)|normalis|synchronis|quantis|initialis|recognis|serialis|"
    r"colour|licence|centred?|behaviour|neighbour|favour|metre)\w*\b",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"analyses\b|docs/licences|licences\.md|cent(?:re|red)_of", re.IGNORECASE)
MODULES = sorted((ROOT / "mashup_worker").rglob("*.py"))
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def texts(module: Path) -> list[tuple[int, str]]:
    """Docstrings, messages and help texts of a module, by line."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]


def offenses(text: str) -> list[str]:
    plain = re.sub(r"`[^`]*`", "", ALLOWED.sub("", text))
    return [found.group(0) for rule in (BANNED, BRITISH) for found in rule.finditer(plain)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_of_a_module_are_plain(module: Path) -> None:
    assert not {
        f"{module.name}:{line}: {word}" for line, text in texts(module) for word in offenses(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_are_plain(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not offenses(text)
