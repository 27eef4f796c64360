"""Rooms import in one direction, and importing does no work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mashup_worker

PACKAGE = Path(mashup_worker.__file__).parent

MAY_IMPORT = {
    "system": set[str](),
    "settings": set(),
    "audio": set[str](),
    "dsp": {"audio"},
    "models": {"audio", "dsp"},
    "analysis": {"audio", "dsp"},
    "mixing": {"analysis", "audio", "dsp"},
    "pipelines": {"analysis", "audio", "dsp", "mixing", "models"},
    "exports": {"analysis", "audio", "dsp", "mixing"},
    "plots": {"analysis", "audio", "mixing"},
    "report": {"analysis", "audio", "dsp", "mixing", "plots"},
    "bench": {"audio", "dsp", "mixing", "models", "pipelines", "plots"},
    "doctor": {"db", "models", "queue", "storage", "worker"},
    "storage": set(),
    "seed": {"analysis", "audio", "mixing", "exports", "models", "pipelines", "storage"},
    "db": set(),
    "queue": {"db", "mixing"},  # the names of vibes
    "monitoring": {"db"},
    "worker": {
        *("analysis", "audio", "db", "dsp", "exports", "mixing", "models", "monitoring"),
        *("pipelines", "queue", "storage"),
    },
    "stack": {"db", "storage"},
    "webhooks": {"db", "storage"},
    # The sandbox; names, distances and scores of keys.
    "api": {"analysis", "audio", "db", "mixing", "monitoring", "queue", "storage", "webhooks"},
}
"""Rooms that each room may import. `cli` and `commands` may import all and are imported by none."""

OPEN_TO_ALL = {
    "__version__",
    "described",
    "errors",
    "licenses",
    "logs",
    "settings",
    "system",
    "tracing",
    "vocabulary",
}

PIPELINES_MAY_IMPORT = {
    "separation": {"clock"},
    "analysis": {"clock"},
    "mashup": {"analysis", "clock", "master", "separation"},
}
"""Modules and packages of `pipelines` that each package of `pipelines` may import."""


def imported_below(package: str, module: Path) -> set[str]:
    """Return the names of the modules and packages directly below a package."""
    names = list[str]()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    depth = package.count(".") + 1
    return {name.split(".")[depth] for name in names if name.startswith(f"{package}.")}


def wrong_imports(folder: Path, package: str, allowed: set[str]) -> set[str]:
    return {
        f"{module.relative_to(PACKAGE)} imports {target}"
        for module in folder.rglob("*.py")
        for target in imported_below(package, module) - allowed - {folder.name}
    }


def test_the_table_of_the_documentation_is_true() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*?) \|$", page, re.MULTILINE)
    documented = {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows}
    assert documented == MAY_IMPORT, "change docs/architecture.md"


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == MAY_IMPORT.keys() | {"commands"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    allowed = MAY_IMPORT[room] | OPEN_TO_ALL
    assert not wrong_imports(PACKAGE / room, "mashup_worker", allowed)


def test_every_package_of_the_pipelines_is_in_the_table() -> None:
    packages = {path.name for path in (PACKAGE / "pipelines").iterdir() if path.is_dir()}
    assert packages - {"__pycache__"} == PIPELINES_MAY_IMPORT.keys()


@pytest.mark.parametrize("package", PIPELINES_MAY_IMPORT)
def test_imports_of_the_pipelines_point_one_way(package: str) -> None:
    allowed = PIPELINES_MAY_IMPORT[package]
    assert not wrong_imports(PACKAGE / "pipelines" / package, "mashup_worker.pipelines", allowed)


def complaints_of(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True
    )
    return done.stderr or f"exit code {done.returncode}" * bool(done.returncode)


def test_pipelines_import_no_server_library_and_no_scipy() -> None:
    blocked = ("redis", "rq", "psycopg", "boto3", "scipy")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
    for name in ("analysis.analyze", "mashup.make", "master", "song"):
        code += f"import mashup_worker.pipelines.{name}\n"
    assert not complaints_of(code)


def test_the_command_line_starts_without_torch() -> None:
    assert not complaints_of(
        "import sys, mashup_worker.cli\n"
        "heavy = {'torch', 'demucs', 'librosa', 'scipy', 'matplotlib', 'huggingface_hub'}\n"
        "heavy |= {'rq', 'redis', 'psycopg', 'boto3', 'numpy', 'pydantic', 'rich', 'soundfile'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_the_api_starts_without_libraries_of_sound() -> None:
    assert not complaints_of(
        "import sys, mashup_worker.api.serve\n"
        "heavy = {'torch', 'numpy', 'scipy', 'soundfile', 'demucs', 'librosa', 'matplotlib'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_mirrors_send_webhooks_without_the_packages_of_the_api() -> None:
    blocked = ("fastapi", "starlette", "uvicorn", "jwt", "limits", "python_multipart", "torch")
    assert not complaints_of(
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        "import mashup_worker.api.webhook_body, mashup_worker.webhooks.sender"
    )


def test_an_analysis_imports_only_what_it_needs(tmp_path: Path) -> None:
    """Each of these would add a tenth of a second or more to a command that lasts one."""
    song = tmp_path / "song.wav"
    soundfile.write(song, np.random.default_rng(0).uniform(-0.1, 0.1, 44_100), 44_100)
    blocked = (
        *("scipy", "librosa", "matplotlib", "torchaudio", "demucs", "PIL", "jinja2"),
        *("redis", "rq", "psycopg", "boto3", "pydantic_settings"),
    )
    assert not complaints_of(
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        f"sys.argv = ['mashup', 'analyze', '--device', 'cpu', {str(song)!r}]\n"
        "from mashup_worker.cli import main; main()"
    )


def test_no_module_imports_scipy_signal() -> None:
    """Its import takes half a second; a few filter coefficients are written out instead."""
    importers = [
        module.relative_to(PACKAGE)
        for module in PACKAGE.rglob("*.py")
        if re.search(r"\bscipy\.signal\b|from scipy import .*\bsignal\b", module.read_text())
    ]
    assert not importers
