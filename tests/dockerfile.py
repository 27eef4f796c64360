"""Reader of the Dockerfile for tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

Instruction = tuple[str, str]


@dataclass(frozen=True)
class Dockerfile:
    """Instructions of a Dockerfile by stage: pairs of name and arguments."""

    first_stage: list[Instruction]
    last_stage: list[Instruction]

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the image; `$PATH` is not expanded."""
        values = " ".join(value for name, value in self.last_stage if name == "ENV")
        return dict(re.findall(r"(\w+)=(\S+)", values))

    @property
    def entry_point(self) -> list[str]:
        """Beginning of every command line."""
        return self._list("ENTRYPOINT")

    @property
    def command(self) -> list[str]:
        """Default arguments of the entry point."""
        return self._list("CMD")

    @property
    def health_check(self) -> list[str]:
        """Command of the health check."""
        (check,) = (value for name, value in self.last_stage if name == "HEALTHCHECK")
        found: list[str] = json.loads(check.partition(" CMD ")[2])
        return found

    def _list(self, name: str) -> list[str]:
        (value,) = (value for one, value in self.last_stage if one == name)
        found: list[str] = json.loads(value)
        return found


def read_dockerfile() -> Dockerfile:
    """Read `Dockerfile.gpu`."""
    text = (ROOT / "Dockerfile.gpu").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", " ", text)
    stages: list[list[Instruction]] = []
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "FROM":
            stages.append([])
        elif name and stages:
            stages[-1].append((name, " ".join(value.split())))
    return Dockerfile(stages[0], stages[-1])
