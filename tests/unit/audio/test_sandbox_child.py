"""Imports of the process that decodes untrusted files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.audio_fixtures import ffmpeg, music, needs_ffmpeg, write

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("torch", "scipy", "pydantic", "matplotlib")

PROGRAM = f"""
import sys
from mashup_worker.audio.sandbox_child import main
code = main()
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"loaded {{loaded}}" if loaded else code)
"""


@pytest.mark.parametrize("name", ["a.wav", pytest.param("a.m4a", marks=needs_ffmpeg)])
def test_the_decoder_loads_neither_torch_nor_scipy(name: str, tmp_path: Path) -> None:
    path, sound = tmp_path / name, music(0.5, channels=6)
    source = ffmpeg(sound, path) if name.endswith(".m4a") else write(path, sound)
    read_end, write_end = os.pipe()
    arguments = {"source": str(source), "messages_fd": write_end}
    arguments |= {"memory_bytes": 1_500_000_000, "cpu_s": 60}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        pass_fds=[write_end],
        capture_output=True,
        check=False,
    )
    os.close(write_end)
    with os.fdopen(read_end) as messages:
        assert [sorted(json.loads(line)) for line in messages] == [
            ["channels", "sample_rate"],
            ["done"],
        ]
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout) > 0.4 * 44100 * 2 * 4
