"""The documentation is complete: commands, settings, defaults, models, links, tests."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

import pytest
from typer.main import get_command

import mashup_worker as mw
from mashup_worker.api.app import openapi_document
from mashup_worker.api.problems import status_of
from mashup_worker.cli import app
from mashup_worker.errors import MashupError
from mashup_worker.models.catalogue import catalogue
from mashup_worker.queue.contracts import CONTRACTS
from mashup_worker.settings import ServiceSettings, Settings
from mashup_worker.settings.environment import variable_of
from mashup_worker.vocabulary import JOB_TYPES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md")])
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


_UNITS = {"mb": 10**6, "gb": 10**9}


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def command_names() -> list[str]:
    names = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        nested = getattr(command, "commands", {})
        names += [f"{name} {inner}" for inner in nested] or [name]
    return names


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_documented(name: str) -> None:
    assert f"mashup {name}" in TEXT, "add it to docs/commands.md or docs/queue.md"


def test_every_setting_is_documented() -> None:
    variables = Settings.variables() | ServiceSettings.variables()
    missing = [name for name in sorted(variables) if f"`{name}" not in TEXT]
    assert not missing, "add them to docs/queue.md (service) or docs/models.md"


def test_documented_defaults_of_settings_are_true() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| .* \| (.*?) \|$", _page("queue.md"), re.MULTILINE)
    documented = {
        name: value
        for names, values in rows
        for name, value in zip(
            re.findall(r"`(\w+)`", names), values.replace("`", "").split(", "), strict=False
        )
    }
    for group in fields(ServiceSettings):
        for name, field in group.default_factory.model_fields.items():  # type: ignore[union-attr]
            if isinstance(field.default, bool | float | int):
                shown = documented[variable_of(name)].lower()
                number, _, unit = shown.partition(" ")
                wanted = str(field.default).lower().removesuffix(".0")
                stated = str(int(number) * _UNITS[unit]) if unit else shown
                assert stated == wanted, f"{variable_of(name)}: change docs/queue.md"


def test_documented_defaults_of_jobs_are_true() -> None:
    for job_type, cells in re.findall(r"^\| `(\w+)` \| (.*) \|", _page("queue.md"), re.MULTILINE):
        if job_type in CONTRACTS:
            known = CONTRACTS[job_type].input.model_fields
            for name, value in re.findall(r"`(\w+)\?` = `?([\w.-]+)", cells):
                wanted = str(known[name].default).lower().removesuffix(".0")
                assert value == wanted, f"{job_type}, {name}: change docs/queue.md"


def test_every_job_type_is_documented() -> None:
    missing = [name for name in JOB_TYPES if f"| `{name}` |" not in _page("queue.md")]
    assert not missing, "add them to the table of docs/queue.md"


def test_documented_signatures_are_true() -> None:
    for name, arguments in re.findall(r"^\| `([\w.]+)\((.*?)\)`", _page("python.md"), re.MULTILINE):
        if name == "mashup":  # its row shows how it is called
            continue
        function = attrgetter(name)(mw)
        stub = ast.parse(f"def f({arguments.replace(', …', '')}): ...").body[0]
        assert isinstance(stub, ast.FunctionDef)
        keywords = zip(stub.args.kwonlyargs, stub.args.kw_defaults, strict=True)
        for argument, default in keywords:
            known = inspect.signature(function).parameters[argument.arg].default
            if default is not None:
                assert ast.literal_eval(default) == known, f"{name}: change docs/python.md"


def test_every_model_is_documented() -> None:
    missing = [name for name in catalogue() if name not in _page("models.md")]
    assert not missing, "add them to the table of licenses in docs/models.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_pages_name_exist(page: Path) -> None:
    """Pages write the paths of modules from the root, or from the package."""
    paths = re.findall(r"`((?:\w+/)+\w+\.(?:py|sql|json|yml))", page.read_text(encoding="utf-8"))
    roots = (ROOT, ROOT / "mashup_worker")
    assert not [path for path in paths if not any((root / path).exists() for root in roots)]


def test_tests_that_pages_name_exist() -> None:
    """Pages write `tests/….py`, with `::test` in it or after a comma."""
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
    errors = _errors(MashupError)
    assert len({error.code for error in errors}) == len(errors)
    for error in errors:
        assert error().message.endswith(".")
        assert error.exit_code in (1, 2, 3, 130)


def test_every_call_of_the_api_is_documented() -> None:
    document = openapi_document()
    calls = {
        f"`{method.upper()} {path}`"
        for path, methods in document["paths"].items()
        for method in methods
    }
    rows = set(re.findall(r"^\| (`[A-Z]+ /\S+`) \|", _page("api.md"), re.MULTILINE))
    assert rows == calls, "change the table of calls in docs/api.md"
    missing = [call for call in calls if not _examples(call.split()[1].strip("`"))]
    assert not missing, "add examples to docs/api.md, or to docs/replicate.md"


def _examples(path: str) -> bool:
    """Return whether a call has an example for curl and, outside Replicate's API, TypeScript."""
    text = _page("api.md") + _page("replicate.md")
    curl = re.escape(path)
    for parameter in re.findall(r"\\\{\w+\\\}", curl):
        curl = curl.replace(parameter, r"[^/\s\"`?]+")
    is_own = path.startswith("/api/")
    return re.search(curl, text) is not None and (not is_own or f'"{path}"' in text)


def test_documented_codes_of_errors_are_true() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", _page("api.md"), re.MULTILINE))
    # Commands have errors of their own, which are only known once another test has loaded them.
    of_all = [kind for kind in _errors(MashupError) if kind.__module__ == MashupError.__module__]
    statuses = {kind.code: f"{status_of(kind()):d}" for kind in of_all}
    special = {code for code, status in statuses.items() if status != "500"}
    assert rows.keys() >= special, "add them to the table of errors in docs/api.md"
    assert {code: statuses[code] for code in rows} == rows


def _errors(kind: type[MashupError]) -> list[type[MashupError]]:
    """Return a class of errors and all classes below it."""
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _errors(child))]
