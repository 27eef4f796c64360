"""Untrusted files: each is decoded or refused, within the limits of the sandbox."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.settings import InputSettings, ServiceSettings
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.inputs import JobInputs
from tests.fuzz.corpus import bombs, corpus, impostors
from tests.fuzz.decode import verdict
from tests.unit.audio_fixtures import ffmpeg_found, music, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

MAX_GROWTH_BYTES = 100_000_000


def memory_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.parametrize("each", [2, 7])
def test_each_is_decoded_or_refused_within_its_limits(each: int, tmp_path: Path) -> None:
    files = corpus(made(tmp_path / "corpus"), each if ffmpeg_found else round(1.4 * each))
    assert len({one.path.read_bytes() for one in files}) >= 36 + 24 * each
    gc.collect()
    before_bytes = memory_bytes()
    outcomes: dict[str, str] = {}

    def look(number: int) -> None:
        one = files[number]
        try:
            outcomes[one.recipe] = verdict(one.path, tmp_path / str(number) / "out.wav")
        except Exception as error:
            outcomes[one.recipe] = f"{type(error).__name__}: {error}"

    for number in range(len(files)):
        (tmp_path / str(number)).mkdir()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(look, range(len(files))))
    fine = {"decoded", "unsupported_audio", "invalid_input", "too_long", "too_large"}
    assert {recipe: outcome for recipe, outcome in outcomes.items() if outcome not in fine} == {}
    counts = Counter(outcomes.values())
    assert counts["decoded"] >= 3 * each - 1, (
        counts
    )  # a flipped bit in samples is no reason to refuse
    assert counts["unsupported_audio"] >= 50, counts
    assert not [path for path in tmp_path.glob("[0-9]*/**/*") if path.is_file()]
    gc.collect()
    assert memory_bytes() - before_bytes < MAX_GROWTH_BYTES


def test_no_file_without_audio_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for one in impostors(tmp_path / "files"):
        assert verdict(one.path, tmp_path / "out.wav") != "decoded", one.recipe


def test_messages_name_the_field_and_no_local_path(tmp_path: Path) -> None:
    store, folder = FolderStorage(tmp_path / "store"), tmp_path / "job"
    folder.mkdir()
    inputs = JobInputs(
        storage=store,
        database=None,  # type: ignore[arg-type]  # a job without a user needs no rights
        settings=ServiceSettings(inputs=InputSettings(max_duration_s=5.0)),
        user_id=None,
        folder=folder,
        on_progress=lambda _stage, _share: None,
    )
    for one in [*list(impostors(made(tmp_path / "i")))[::5], *bombs(made(tmp_path / "b"))]:
        key = f"inputs/{one.path.name}"
        store.put(key, one.path, content_type="audio/wav", sha256=file_sha256(one.path))
        with pytest.raises(InvalidInput) as caught:
            inputs.fetch(key, "input_data.audio")
        assert str(caught.value.message).startswith("input_data.audio"), one.recipe
        assert str(tmp_path) not in caught.value.message
    good = write(tmp_path / "good.flac", music(0.5))
    store.put("inputs/good.flac", good, content_type="audio/flac", sha256=file_sha256(good))
    sound = inputs.fetch("inputs/good.flac", "input_data.audio")
    assert inputs.digests == {sound: file_sha256(good)}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
