"""Many songs in one command: networks are warm before, and a lost device ends it at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from typer.testing import CliRunner

from mashup_worker.cli import app
from mashup_worker.commands.shared import model_choice
from mashup_worker.errors import DeviceLost, InvalidInput
from mashup_worker.models.engine import NetworkSeparator
from mashup_worker.models.load import LoadedModel
from mashup_worker.pipelines.separation import separate
from mashup_worker.seed import make
from tests.engines import RATE_HZ, Splitter, engine, music

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor
    from typer.testing import Result

    from mashup_worker.models.separator import Separator

LOST = "cuda:0 is lost to this process: CUDA error: an illegal memory access was encountered"


class Lost(Splitter):
    """A separator whose device fails in the first song."""

    def stream(self, *_: Any, **__: Any) -> Iterator[Tensor]:
        raise DeviceLost(LOST)


def run(folder: Path, songs: int, separator: Separator, command: str, *arguments: str) -> Result:
    """Run a command on songs with a separator that is ready."""
    paths = []
    for number in range(songs):
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], music(0.5, seed=number).samples.T.numpy(), RATE_HZ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_choice, "load_requested", lambda *_: LoadedModel(separator, None))
        return CliRunner().invoke(app, [command, *map(str, paths), *arguments])


def test_separate_ends_with_one_line_when_the_device_is_lost(tmp_path: Path) -> None:
    stems = tmp_path / "stems"
    done = run(tmp_path, 5, Lost(), "separate", "-o", str(stems), "--model-repo", str(tmp_path),
               "--model", "splitter", "--jobs", "2")  # fmt: skip
    assert done.exit_code == DeviceLost.exit_code
    assert done.stderr == f"mashup: {LOST}\n"
    assert not [path for path in stems.rglob("*") if path.is_file()]


def test_reprocess_ends_when_the_device_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def make_seed(song: make.SeedSong, *_: Any) -> make.SeedResult:
        tried.append(song)
        raise DeviceLost(LOST)

    monkeypatch.setattr(make, "make_seed", make_seed)
    done = run(tmp_path, 5, Lost(), "reprocess", "--to", str(tmp_path / "library"), "--jobs", "1")
    assert isinstance(done.exception, DeviceLost)
    assert len(tried) == 1


@pytest.mark.parametrize("command", ["separate", "reprocess"])
@pytest.mark.parametrize(("songs", "threads"), [(1, []), (2, ["MainThread"])])
def test_on_cuda_networks_are_warm_before_songs_share_them(
    command: str,
    songs: int,
    threads: list[str],
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A song alone does not wait for sizes of batches that it will not meet."""
    warmed: list[str] = []
    seen: list[list[str]] = []

    def warm_up(_self: NetworkSeparator) -> None:
        warmed.append(threading.current_thread().name)

    def begin(*_: Any) -> None:
        seen.append(list(warmed))
        raise InvalidInput("this is enough")

    monkeypatch.setattr(NetworkSeparator, "device", "cuda:0")
    monkeypatch.setattr(NetworkSeparator, "warm_up", warm_up)
    monkeypatch.setattr(make, "make_seed", begin)
    monkeypatch.setattr(separate, "separate_file", begin)
    target = ["--to" if command == "reprocess" else "-o", str(tmp_path / "out")]
    done = run(tmp_path, songs, engine(repository, "td0"), command, *target, "--model", "htdemucs")
    assert done.exit_code == 1
    assert seen == [threads] * songs
