"""The documentation names what there is, and what it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from mashup_worker.cli import app
from mashup_worker.errors import MashupError
from mashup_worker.models.catalogue import catalogue
from mashup_worker.settings import ServiceSettings, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md")])
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def command_names() -> list[str]:
    names = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        nested = getattr(command, "commands", {})
        names += [f"{name} {inner}" for inner in nested] or [name]
    return names


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_documented(name: str) -> None:
    assert f"mashup {name}" in TEXT


def test_every_setting_is_documented() -> None:
    variables = Settings.variables() | ServiceSettings.variables()
    assert not [name for name in sorted(variables) if f"`{name}" not in TEXT]


def test_every_model_is_documented() -> None:
    table = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert not [name for name in catalogue() if name not in table]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_tests_that_pages_name_are_there() -> None:
    """`tests/….py`, with `::test` after it or after the comma behind it."""
    missing = []
    for file, names in re.findall(r"`(tests/[\w/]+\.py)((?:`?(?:, `)?::\w+)*)", TEXT):
        path = ROOT / file
        there = path.read_text(encoding="utf-8") if path.exists() else None
        wanted = re.findall(r"::(\w+)", names)
        missing += [
            f"{file} {name}"
            for name in (wanted or [""])
            if there is None or (name and f"def {name}(" not in there)
        ]
    assert not missing


def test_every_error_has_a_code_of_its_own_and_a_default_message() -> None:
    def below(kind: type[MashupError]) -> list[type[MashupError]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    errors = below(MashupError)
    assert len({error.code for error in errors}) == len(errors)
    for error in errors:
        assert error().message.endswith(".")
        assert error.exit_code in (1, 2, 3, 130)
