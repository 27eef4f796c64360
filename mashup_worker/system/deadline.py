"""Time limits for blocking calls that accept none, such as name resolution."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def call_within(
    timeout_s: float,
    call: Callable[[], Result],
    discard: Callable[[Result], object] = lambda _result: None,
) -> Result:
    """Return the result of a blocking call, or give up on it after `timeout_s`.

    The call runs in a daemon thread, because no timeout of the `socket` module covers name
    resolution, and it may outlive the process's work. `discard` receives a result that arrives too
    late, for example to close it.

    Raises:
        TimeoutError: the call has not returned in time.
    """
    answers: queue.SimpleQueue[tuple[Result | None, Exception | None]] = queue.SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            answers.put((None, error))
        else:
            if given_up.is_set():
                discard(result)
            answers.put((result, None))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = answers.get(timeout=timeout_s)
    except queue.Empty:
        given_up.set()
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # a call that did not raise has returned
