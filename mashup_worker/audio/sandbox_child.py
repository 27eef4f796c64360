"""Subprocess of `sandbox`: decodes one file with minimal rights.

Its argument is a JSON object. It writes interleaved float32 samples to standard output, and
messages, one JSON object per line, to a separate pipe. It limits itself before it imports anything
that reads the file, and never imports torch or scipy.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[..., None]
    """Called with the fields of a message."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

_MAX_OPEN_FILES = 64
_MAX_FILE_BYTES = 1 << 20
"""Limit of ffmpeg's log."""

_MAX_WARNINGS, _MAX_WARNING_LETTERS = 20, 200

_TAGS_TIMEOUT_S = 5.0
"""Longest time for the tags of a file, which must not prevent the decoding."""

_COVER_PIECE_LETTERS = 8_192

_GRACE_S = 5
"""Time between the signal for used-up processor time and the end of the process."""


def main() -> int:
    """Decode the file named in the arguments; return 0 if all samples were written."""
    arguments = json.loads(sys.argv[1])
    with os.fdopen(arguments["messages_fd"], "w", encoding="utf-8") as pipe:
        confine(arguments["memory_bytes"], arguments["cpu_s"])

        def send(**message: Any) -> None:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

        try:
            _decode(Path(arguments["source"]), send)
        except MemoryError:
            send(error="too_large", message="needs too much memory to decode")
        except BrokenPipeError:  # the reader has gone
            return 1
        except Exception as error:
            send(error=getattr(error, "code", "unsupported_audio"), message=str(error)[:500])
        else:
            send(done=True)
            return 0
    return 1


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Give up rights that decoding does not need: memory, time, files, privileges, network.

    Args:
        memory_bytes: limit of the address space.
        cpu_s: limit of the processor time in seconds.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: _MAX_FILE_BYTES,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        grace = _GRACE_S if limit == resource.RLIMIT_CPU else 0
        allowed = most + grace if hard == resource.RLIM_INFINITY else min(most + grace, hard)
        resource.setrlimit(limit, (min(most, allowed), allowed))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    # Systems that deny new network namespaces to users leave the network reachable.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _decode(source: Path, send: Send) -> None:
    import numpy as np

    from mashup_worker.audio.layouts import fold_frames
    from mashup_worker.audio.probe import open_source
    from mashup_worker.audio.source import regular_file_size

    regular_file_size(source)
    opened = open_source(source)
    channels = opened.info.channels
    send(sample_rate=opened.info.sample_rate, channels=min(channels, 2))
    output = sys.stdout.buffer
    for block in opened.blocks():
        output.write(np.ascontiguousarray(fold_frames(block, opened.info.speakers), "<f4").data)
    output.flush()
    if opened.warnings:
        send(
            warnings=[warning[:_MAX_WARNING_LETTERS] for warning in opened.warnings[:_MAX_WARNINGS]]
        )
    _send_tags(source, send)


class _TagsTimeout(BaseException):
    """Raised in the midst of the reading of tags, which catches every `Exception`."""


def _send_tags(source: Path, send: Send) -> None:
    from mashup_worker.audio.song_tags import FoundTags, encode_cover
    from mashup_worker.audio.tag_reader import read_tags

    def stop(*_: object) -> None:
        raise _TagsTimeout

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _TAGS_TIMEOUT_S)
    try:
        found = read_tags(source)
    except (_TagsTimeout, Exception):
        found = FoundTags()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if found.warnings:
        send(warnings=list(found.warnings))
    if not found.tags.is_empty:
        send(tags={name: getattr(found.tags, name) for name in found.tags.texts()})
    text = encode_cover(found.tags.cover or b"")
    for start in range(0, len(text), _COVER_PIECE_LETTERS):
        send(cover=text[start : start + _COVER_PIECE_LETTERS])


if __name__ == "__main__":
    sys.exit(main())
