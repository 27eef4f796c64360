"""The Python of the documentation, run as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mashup_worker as mw

ROOT = Path(__file__).parents[2]
EXCERPT_S = 24
SONGS = {"song.mp3": "when-the-night-falls", "host.mp3": "slow-it-down"}


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the songs that the documentation names, as the current one."""
    for name, sample in SONGS.items():
        audio = mw.load_audio(ROOT / "samples" / sample / "mix.flac")
        stop = EXCERPT_S * audio.sample_rate
        mw.Audio(audio.samples[:, :stop], audio.sample_rate).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASHUP_OFFLINE", "1")
    monkeypatch.setenv("MASHUP_MODEL_CACHE", str(tmp_path / "models"))
    monkeypatch.setenv("MASHUP_SONG_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.slow
def test_the_python_of_the_documentation_runs(songs: Path) -> None:
    names: dict[str, object] = {}
    for page in ("README.md", "docs/python.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(compile(block, page, "exec"), names)
    assert (songs / "vocals.wav").is_file()
    assert len(list((songs / "stems").glob("*.flac"))) == 4
    assert mw.analyze(songs / "loud.mp3").loudness_lufs == pytest.approx(-9, abs=0.5)
