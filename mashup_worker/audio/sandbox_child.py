"""The process that decodes a file for another one, and can do nothing else.

Its arguments are a JSON object; samples go to standard output, interleaved as float32, and what it
has to say goes, a JSON object a line, to a pipe of its own. Limits are set before anything is
imported that reads the file.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

_MOST_FILES = 64
_LOG_BYTES = 1 << 20
"""What ffmpeg may write about a file."""

_LAST_SECONDS = 5
"""Between the signal that says that its time is over and the one that ends it."""


def main() -> int:
    """Decode; 0 where all samples were written."""
    given = json.loads(sys.argv[1])
    with os.fdopen(given["tell"], "w", encoding="utf-8") as pipe:
        confine(given["memory_bytes"], given["cpu_s"])

        def tell(**what: Any) -> None:
            pipe.write(json.dumps(what) + "\n")
            pipe.flush()

        try:
            _decode(Path(given["source"]), tell)
        except MemoryError:
            tell(error="too_large", message="it needs too much memory to be decoded")
        except BrokenPipeError:  # nobody wants any more
            return 1
        except Exception as error:
            tell(error=getattr(error, "code", "unsupported_audio"), message=str(error)[:500])
        else:
            tell(done=True)
            return 0
    return 1


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Give up what decoding does not need: memory, time, files, other processes' help, the network.

    Args:
        memory_bytes: of address space.
        cpu_s: seconds of the processor.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: _LOG_BYTES,
        resource.RLIMIT_NOFILE: _MOST_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        grace = _LAST_SECONDS if limit == resource.RLIMIT_CPU else 0
        allowed = most + grace if hard == resource.RLIM_INFINITY else min(most + grace, hard)
        resource.setrlimit(limit, (min(most, allowed), allowed))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    # Where the system lets ordinary users do so; else there is a network, and no credentials.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _decode(source: Path, tell: Any) -> None:
    import numpy as np

    from mashup_worker.audio.layouts import fold_weights
    from mashup_worker.audio.probe import open_source
    from mashup_worker.audio.source import regular_file_size

    regular_file_size(source)
    opened = open_source(source)
    channels = opened.info.channels
    tell(rate_hz=opened.info.rate_hz, channels=min(channels, 2))
    output = sys.stdout.buffer
    for block in opened.blocks():
        if channels > 2:
            block = block @ fold_weights(channels, vorbis_order=opened.vorbis_order).T
        output.write(np.ascontiguousarray(block, "<f4").data)
    output.flush()


if __name__ == "__main__":
    sys.exit(main())
