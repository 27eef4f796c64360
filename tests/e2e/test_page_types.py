"""The types in the comments of the studio's modules are right."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.clients.environments import node_environment

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "mashup_worker" / "api" / "studio" / "page"
OPTIONS = {
    "target": "esnext",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["esnext", "dom", "dom.iterable"],
    "strict": True,
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "skipLibCheck": True,
    "types": [],
}

pytestmark = pytest.mark.slow


def test_the_types_of_the_page_are_right(tmp_path: Path) -> None:
    client = json.loads((ROOT / "clients" / "typescript" / "package.json").read_text())
    libraries = json.loads((PAGE / "package.json").read_text())["dependencies"]
    wanted = {**libraries, "typescript": client["devDependencies"]["typescript"]}
    environment = node_environment(tmp_path, *(f"{name}@{one}" for name, one in wanted.items()))
    shutil.copytree(PAGE, tmp_path / "page", ignore=shutil.ignore_patterns("libraries"))
    wrong = tmp_path / "page" / "wrong.js"
    wrong.write_text('import { bytesOf } from "./audio/sources.js";\nbytesOf("text");\n')
    settings = tmp_path / "tsconfig.json"
    settings.write_text(json.dumps({"compilerOptions": OPTIONS, "include": ["page/**/*.js"]}))
    compiler = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [*environment.command, compiler, "--project", settings],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (error,) = (
        done.stdout.splitlines()
    )  # that of the module above, so that the check is known to run
    assert error.startswith("page/wrong.js(2,9): error TS2345")
