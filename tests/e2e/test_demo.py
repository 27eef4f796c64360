"""End of the demo on a terminal: links to the studio until Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from mashup_worker.db.migrate import migrate
from mashup_worker.db.sessions import use_code
from mashup_worker.stack.stack import Stack
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.stack.info import StackInfo

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """Postgres with the schema."""
    with Stack(tmp_path_factory.mktemp("demo") / "stack", ["postgres"]) as info:
        migrate(info.database_url)
        yield info


class Terminal:
    """Terminal of a process that this one reads and writes."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.text = ""

    def until(self, pattern: str) -> None:
        """Read until the text matches."""
        while not re.search(pattern, self.text, re.DOTALL):
            self.text += os.read(self._handle, 4_096).decode()

    def press(self, key: str) -> None:
        os.write(self._handle, key.encode())


def test_each_enter_prints_another_link_until_ctrl_c(services: StackInfo) -> None:
    user = uuid4()
    ours, theirs = pty.openpty()
    with Process(
        [sys.executable, "-c", f"from samples.queue_demo import wait; wait('{user}')"],
        preexec_fn=stop_with_tests,
        cwd=ROOT,
        env={**os.environ, **services.environment(), "MASHUP_API_URL": URL},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        terminal = Terminal(ours)
        terminal.until(r"#login=\S+\s.*Ctrl-C")
        terminal.press("\n")
        terminal.until(r"#login=\S+\s.*Ctrl-C.*#login=\S+\s.*Ctrl-C")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    os.close(ours)
    codes = re.findall(rf"{URL}/studio#login=(\S+)", terminal.text)
    assert len(set(codes)) == 2
    with psycopg.connect(services.database_url, row_factory=psycopg.rows.dict_row) as owner:
        for code in codes:
            login = use_code(owner, code)
            assert login is not None
            assert login.user_id == user
            assert login.scopes == {"read", "write", "operator"}
