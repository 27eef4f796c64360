"""Sandboxed decoding: its results, the rights of its process, and its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mashup_worker.audio import sandbox
from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.sandbox import (
    SandboxedFile,
    SandboxLimits,
    decode_sandboxed,
    measure_sandboxed,
)
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.audio.tag_writers import write_tags
from mashup_worker.errors import (
    Canceled,
    InvalidInput,
    MashupError,
    StorageFailed,
    TooLarge,
    TooLong,
    UnsupportedAudio,
)
from mashup_worker.vocabulary import FORMATS as OUTPUT_FORMATS
from tests.fuzz.corpus import FFMPEG, FORMATS, good_files
from tests.integration.decoders import replace_decoder
from tests.unit.audio_fixtures import ffmpeg, ffmpeg_found, music, needs_ffmpeg, write

if TYPE_CHECKING:
    from mashup_worker.vocabulary import FormatName

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

SECRET = "postgresql://worker:a-secret@db/postgres"


def decoded(path: Path) -> tuple[np.ndarray, int]:
    """The same sound by the decoder of this process."""
    audio = decode(path)
    return audio.samples.T.numpy(), audio.sample_rate


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = good_files(tmp_path_factory.mktemp("good"))
    return {path.name.removeprefix("good."): path for path in made}


NAMES = [*FORMATS, "mp3", "surround.wav", "mono.flac", *(FFMPEG if ffmpeg_found else ())]


@pytest.mark.parametrize("name", NAMES)
def test_equals_decoding_in_process(good: dict[str, Path], name: str, tmp_path: Path) -> None:
    target = tmp_path / "clean.wav"
    decode_sandboxed(good[name], target)
    samples, sample_rate = soundfile.read(target, dtype="float32", always_2d=True)
    wanted, wanted_hz = decoded(good[name])
    assert sample_rate == wanted_hz
    # NumPy and torch may round the downmix differently in the last bit.
    tolerance = 1e-6 if name == "surround.wav" else 0.0
    np.testing.assert_allclose(samples, wanted, rtol=0, atol=tolerance)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["mp3", "surround.wav", "mono.flac"])
def test_durations_are_those_of_the_decoded_samples(good: dict[str, Path], name: str) -> None:
    samples, sample_rate = decoded(good[name])
    assert measure_sandboxed(good[name]) == len(samples) / sample_rate
    with pytest.raises(TooLong):
        measure_sandboxed(good[name], SandboxLimits(max_duration_s=0.1))


def test_warnings_come_out_of_the_sandbox(good: dict[str, Path], tmp_path: Path) -> None:
    source = tmp_path / "cut.mp3"
    source.write_bytes(good["mp3"].read_bytes()[:-40])
    found = decode_sandboxed(source, tmp_path / "clean.wav")
    assert "the file ends inside an MP3 frame" in found.warnings
    assert decode_sandboxed(good["mp3"], tmp_path / "clean2.wav") == SandboxedFile()


@pytest.mark.parametrize("format_", OUTPUT_FORMATS)
def test_tags_come_out_of_the_sandbox(tmp_path: Path, format_: FormatName) -> None:
    cover = b"\xff\xd8\xff" + bytes(range(256)) * 4_000
    tags = SongTags(title="x" * 190 + "😀" * 10, artist="A", track=3, cover=cover)
    source = tmp_path / f"song.{format_}"
    with open_writer(
        source, EncodeOptions(format_), sample_rate=44_100, channels=2, tags=tags
    ) as writer:
        writer.write(music(0.5).samples)
    target = tmp_path / "clean.wav"
    assert decode_sandboxed(source, target) == SandboxedFile(tags=tags)
    assert read_tags(target).tags == NO_TAGS


def test_a_huge_cover_is_a_warning(tmp_path: Path) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    with source.open("r+b") as file:
        write_tags(file, "wav", SongTags(title="T", cover=b"\xff\xd8\xff" + bytes(40_000_000)))
    found = decode_sandboxed(source, tmp_path / "clean.wav")
    assert found.tags == SongTags(title="T")
    assert "its cover of 40.0 MB is left out; the limit is 2 MB" in found.warnings


@pytest.mark.parametrize("wrong", ["no such file", "folder", "pipe", "text", "empty", "cut"])
def test_files_without_audio_raise_the_errors_of_decoding_in_process(
    wrong: str, good: dict[str, Path], tmp_path: Path
) -> None:
    source = tmp_path / "song.flac"
    if wrong == "folder":
        source.mkdir()
    elif wrong == "pipe":
        os.mkfifo(source)
    elif wrong != "no such file":
        flac = good["flac"].read_bytes()
        contents = {"text": b"hello", "empty": b"", "cut": flac[: len(flac) // 2]}
        source.write_bytes(contents[wrong])
    with pytest.raises(InvalidInput) as here:
        decoded(source)
    with pytest.raises(InvalidInput) as there:
        decode_sandboxed(source, tmp_path / "clean.wav")
    assert (there.value.code, there.value.message) == (here.value.code, here.value.message)
    assert not (tmp_path / "clean.wav").exists()


def test_a_decoder_has_no_credentials_and_no_inherited_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "REDIS_URL", "HOME", "PYTHONPATH"):
        monkeypatch.setenv(name, SECRET)
    seen: list[bytes] = []
    allowed: list[str] = []
    file_descriptors: list[str] = []
    source = tmp_path / "long.wav"
    write(source, music(60.0))
    secret = (tmp_path / "secret").open("wb")
    os.set_inheritable(secret.fileno(), True)
    others = children()

    def look() -> None:
        for pid in children() - others:
            place = Path(f"/proc/{pid}")
            try:
                seen.append((place / "environ").read_bytes())
                allowed.append((place / "limits").read_text())
                file_descriptors.extend(str(one.readlink()) for one in (place / "fd").iterdir())
            except OSError:
                continue

    decode_sandboxed(source, tmp_path / "clean.wav", on_wait=look)
    secret.close()
    assert seen
    assert all(b"a-secret" not in environment for environment in seen)
    assert any(" 1500000000 " in text for text in allowed)
    assert not any(name.endswith("/secret") for name in file_descriptors)


def children() -> set[int]:
    """Processes that this one started."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def descendants(pid: int) -> set[int]:
    """Everything in the process group of a child."""
    found = set()
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == pid and fields[0] != "Z":
                found.add(int(place.name))
    return found


@pytest.mark.parametrize(
    ("limits", "error", "words"),
    [
        (SandboxLimits(max_duration_s=2.0), TooLong, "longer than the limit of 2 s"),
        (
            SandboxLimits(max_decoded_bytes=500_000),
            TooLarge,
            "more than the limit of 500,000 bytes",
        ),
        (SandboxLimits(timeout_s=0.05), UnsupportedAudio, "0.05 s"),
        (SandboxLimits(memory_bytes=80_000_000), MashupError, "song.wav"),
    ],
)
def test_limits_hold(
    limits: SandboxLimits, error: type[MashupError], words: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "song.wav", music(3.0))
    with pytest.raises(error, match=words) as raised:
        decode_sandboxed(source, tmp_path / "clean.wav", limits)
    assert "\n" not in raised.value.message
    assert not raised.value.retryable
    assert list(tmp_path.iterdir()) == [source]


@needs_ffmpeg
def test_an_exception_while_waiting_ends_all_processes(tmp_path: Path) -> None:
    source = ffmpeg(music(120.0), tmp_path / "song.m4a", "-c:a", "aac")
    groups: set[int] = set()
    others = children()  # such as servers that other tests share
    most = 0

    def stop() -> None:
        nonlocal most
        for pid in children() - others:
            groups.add(pid)
            most = max(most, len(descendants(pid)))
        if most >= 2:  # ffmpeg is there too
            raise Canceled
        time.sleep(0.02)

    with pytest.raises(Canceled):
        decode_sandboxed(source, tmp_path / "clean.wav", on_wait=stop)
    assert groups
    until_s = time.monotonic() + 60.0
    while any(descendants(pid) for pid in groups):
        assert time.monotonic() < until_s
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == [source]


def test_a_target_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    source = write(tmp_path / "song.wav", music(1.0))
    with pytest.raises(StorageFailed):
        decode_sandboxed(source, source / "clean.wav")


CONFINED = """
sys.path.insert(0, {root!r})
import resource, socket
from pathlib import Path
from mashup_worker.audio.sandbox_child import confine
confine(1_500_000_000, 10)
seen = {{}}
def attempt(name, action):
    try:
        action()
        seen[name] = "done"
    except BaseException as error:
        seen[name] = type(error).__name__
attempt("network", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
attempt("memory", lambda: bytes(3_000_000_000))
attempt("disk", lambda: Path("large").write_bytes(bytes(5_000_000)))
attempt("more", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10_000, 10_000)))
send((json.dumps({{"error": "invalid_input", "message": json.dumps(seen)}}) + "\\n").encode())
"""


def test_a_confined_process_has_no_network_memory_or_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", music(0.1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        root, port = str(Path(sandbox.__file__).parents[2]), server.getsockname()[1]
        replace_decoder(monkeypatch, CONFINED.format(root=root, port=port))
        with pytest.raises(InvalidInput) as answer:
            decode_sandboxed(source, tmp_path / "clean.wav")
    seen = json.loads(answer.value.message.partition(": ")[2])
    assert seen.pop("memory") == "MemoryError"
    assert seen.pop("disk") == "OSError"
    if os.geteuid() != 0:  # root may raise its own limits again
        assert seen.pop("more") == "ValueError"
    if seen["network"] == "done":
        pytest.skip("this system denies new network namespaces")


def test_other_users_cannot_read_the_environment_of_a_worker() -> None:
    program = (
        "import sys\n"
        "from mashup_worker.system.undumpable import make_undumpable\n"
        "make_undumpable()\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"DATABASE_URL": SECRET, "PATH": os.environ["PATH"]},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        place = Path(f"/proc/{process.pid}")
        if os.geteuid() == 0:  # may read all; what others may is who it belongs to
            assert place.joinpath("environ").stat().st_uid == 0
            reader = [
                "setpriv",
                "--reuid",
                "65534",
                "--clear-groups",
                "cat",
                str(place / "environ"),
            ]
            assert subprocess.run(reader, capture_output=True, check=False).returncode != 0
        else:
            with pytest.raises(PermissionError):
                place.joinpath("environ").read_bytes()
        process.stdin.close()


def test_decoders_run_side_by_side(good: dict[str, Path], tmp_path: Path) -> None:
    """No process keeps the pipes of another open."""
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            decode_sandboxed(
                good["flac"], tmp_path / f"{number}.wav", SandboxLimits(timeout_s=300.0)
            )
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(list(tmp_path.glob("*.wav"))) == 8
