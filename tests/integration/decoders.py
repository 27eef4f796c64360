"""Programs in place of the decoder of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.audio import sandbox

if TYPE_CHECKING:
    import pytest


def replace_decoder(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Another program in place of the decoder."""
    program = (
        "import json, os, sys\n"
        "pipe = json.loads(sys.argv[1])['messages_fd']\n"
        'HEAD = b\'{{"sample_rate": 44100, "channels": 2}}\\n\'\n'
        "def send(data): os.write(pipe, data)\n"
        "def samples(data): os.write(1, data)\n"
    )
    code = code.replace("{", "{{").replace("}", "}}")  # `_COMMAND` is a format string
    monkeypatch.setattr(sandbox, "_COMMAND", program + code)
