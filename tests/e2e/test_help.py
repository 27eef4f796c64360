"""Help texts of all commands and options."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from mashup_worker import __version__
from mashup_worker.cli import app
from mashup_worker.errors import EXIT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.command import Mashup


def test_version(mashup: Mashup) -> None:
    done = mashup.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"mashup-worker {__version__}\n", "")


def test_help_names_the_commands_and_the_options(mashup: Mashup) -> None:
    root = mashup.run("--help")
    assert (root.returncode, root.stderr) == (0, "")
    commands = "separate analyze mix master match check models doctor up migrate worker mirror"
    for command in (*commands.split(), "export", "enqueue", "jobs", "schema", "sweep"):
        assert re.search(rf"^ +{command} +\w", root.stdout, re.MULTILINE)
    separate = (
        "-o model model-repo stems two-stems format bit-depth bitrate device precision shifts"
    )
    separate += " seed overlap name-template export skip-existing dry-run json -q -v"
    analyze = (
        "-o json csv plot export skip-existing tempo-range tempo-hint beats-per-bar key-profile"
    )
    analyze += " device jobs -q -v"
    mix = "-o stem vocals-of over plan form vibe intensity transition tempo key length loudness"
    mix += (
        " true-peak engine seed force two-vocals report export keep-stems bit-depth bitrate model"
    )
    mix += " device json -q"
    master = "-o loudness true-peak compress raise-quiet bit-depth bitrate seed json -q"
    check = "stems plan loudness true-peak json -q"
    export = "to -o root device json -q -v"
    for command, options in (
        ("separate", separate),
        ("analyze", analyze),
        ("mix", mix),
        ("master", master),
        ("match", "separate model device json -q"),
        ("check", check),
        ("export", export),
        ("up", "data processes device run no-workers json"),
        ("worker", "device processes queue precision"),
        ("migrate", "check"),
        ("enqueue", "input user priority idempotency-key wait json"),
    ):
        done = mashup.run(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        for option in options.split():
            name = option if option.startswith("-") else f"--{option}"
            assert re.search(rf"^ +(-\w, )?{name}\b.*\n? +\w", done.stdout, re.MULTILINE), name


def test_commands_are_listed_under_three_headings(mashup: Mashup) -> None:
    text = mashup.run("--help").stdout
    songs, service, maintenance = map(text.index, ("Songs:", "Service:", "Maintenance:"))
    assert songs < text.index("  separate ") < service < text.index("  worker ") < maintenance
    assert maintenance < text.index("  doctor ")
    assert "..." not in text.partition("Songs:")[2], "a summary does not fit 80 columns"


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psutil'] = None\n"
        f"sys.argv = ['mashup', 'up', '--data', {str(tmp_path)!r}]\n"
        "from mashup_worker.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == EXIT_ENVIRONMENT
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'mashup-worker[local]'" in done.stderr


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for inner, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{name} {inner}")


@pytest.mark.parametrize(("name", "command"), list(_commands(get_command(app), "mashup")))
def test_every_command_and_option_has_a_help_text(name: str, command: Any) -> None:
    assert command.help, name
    texts = {one.name: getattr(one, "help", None) or "" for one in command.params}
    assert {option: text for option, text in texts.items() if not text.endswith((".", "]"))} == {}
