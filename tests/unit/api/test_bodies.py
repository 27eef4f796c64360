"""Rules for request bodies, around an application that does nothing else than read them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from mashup_worker.api import bodies
from mashup_worker.api.access.admission import CALLER
from mashup_worker.api.bodies import BodyRules, allow_body
from mashup_worker.errors import Unauthenticated

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

END = {"type": "http.disconnect"}


def block(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


@dataclass
class Client:
    """One request.

    Attributes:
        pauses_s: pause before each message of the client.
        sent: messages of the server.
        read: bytes that the application read.
    """

    messages: list[Message]
    headers: dict[str, str] = field(default_factory=lambda: {"Transfer-Encoding": "chunked"})
    pauses_s: float = 0.0
    token: str = "good"
    sent: list[Message] = field(default_factory=list)
    read: bytes = b""

    async def receive(self) -> Message:
        await asyncio.sleep(self.pauses_s)
        return self.messages.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def application(
        self,
        scope: Scope,  # noqa: ARG002
        receive: Receive,
        send: Send,
    ) -> None:
        """Read the whole body and answer; hide the errors of the body like frameworks do."""
        status = 200
        try:
            while True:
                message = await receive()
                self.read += message.get("body", b"")
                if not message.get("more_body"):
                    break
        except Exception:
            status = 400
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"done", "more_body": False})

    def request(self, *, timeout_s: float = 60.0) -> tuple[int, str]:
        """Return the status and the text of the answer."""
        api = SimpleNamespace(body_timeout_s=timeout_s)
        context: Any = SimpleNamespace(settings=SimpleNamespace(api=api))
        headers = [(name.lower().encode(), one.encode()) for name, one in self.headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": headers,
            CALLER: Unauthenticated("token: missing") if self.token != "good" else self,
        }
        rules = BodyRules(self.application, context)
        asyncio.run(asyncio.wait_for(rules(scope, self.receive, self.send), 30))
        start, *parts = self.sent
        assert [part["type"] for part in parts] == ["http.response.body"] * len(parts)
        assert [part.get("more_body") for part in parts][-1] in (False, None)
        return start["status"], b"".join(part["body"] for part in parts).decode()

    @property
    def is_closed(self) -> bool:
        return (b"connection", b"close") in self.sent[0]["headers"]


def test_a_body_passes() -> None:
    client = Client([block(b"a"), block(b"b", more=False)])
    assert client.request() == (200, "done")
    assert client.read == b"ab"
    assert not client.is_closed


def test_a_request_without_a_body_needs_no_token() -> None:
    client = Client([END], {"Content-Length": "0"}, token="")
    assert client.request()[0] == 200


def test_no_byte_is_read_without_a_token() -> None:
    client = Client([block(b"a"), block(b"b", more=False)], token="")
    status, text = client.request()
    assert (status, client.read, client.is_closed) == (401, b"", True)
    assert "token: missing" in text


def test_the_rest_is_dropped_before_the_end_of_an_early_answer() -> None:
    client = Client([block(b"a" * 100) for _ in range(100)] + [END], token="")
    client.request()
    assert client.messages == []
    assert [part["more_body"] for part in client.sent[1:]] == [True, False]


def test_a_client_that_waits_for_the_answer_gets_it_at_once() -> None:
    client = Client(
        [block(b"a")], {"Expect": "100-continue", "Content-Length": "5"}, token="", pauses_s=60
    )
    assert client.request()[0] == 401


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "1001"}])
def test_large_bodies_are_refused(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MAX_BYTES", 1_000)
    client = Client([block(b"a" * 600), block(b"b" * 401), END], headers)
    status, text = client.request()
    assert (status, client.is_closed) == (413, True)
    assert client.read in (b"", b"a" * 600)
    assert "0.001 MB" in text


def test_a_route_may_replace_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MAX_BYTES", 1_000)
    client = Client([block(b"a" * 600), block(b"b" * 600, more=False)])
    application = client.application

    async def larger(scope: Scope, receive: Receive, send: Send) -> None:
        allow_body(Request(scope), 2_000)
        await application(scope, receive, send)

    client.application = larger  # type: ignore[method-assign]
    assert client.request()[0] == 200


def test_pauses_end_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_GRACE_S", 0.05)
    client = Client([block(b"a"), END], pauses_s=5.0)
    status, text = client.request()
    assert (status, client.is_closed) == (408, True)
    assert "too slow" in text


def test_the_minimum_speed_holds_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_GRACE_S", 1.0)
    monkeypatch.setattr(bodies, "_MIN_BYTES_PER_S", 1_000)
    end = block(b"", more=False)
    slow = Client([*(block(b"a") for _ in range(99)), end], pauses_s=0.02)
    assert slow.request()[0] == 408
    assert 1 <= len(slow.read) < 99
    fast = Client([*(block(b"a" * 4_000) for _ in range(60)), end], pauses_s=0.02)
    assert fast.request()[0] == 200  # after more than the grace


def test_no_speed_outlasts_the_timeout() -> None:
    client = Client([block(b"a" * 900) for _ in range(999)], pauses_s=0.02)
    assert client.request(timeout_s=0.2)[0] == 408


def test_only_the_time_of_the_client_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_GRACE_S", 0.2)
    client = Client([block(b"a") for _ in range(5)] + [block(b"", more=False)])
    application = client.application

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        async def late() -> Message:
            await asyncio.sleep(0.1)
            return await receive()

        await application(scope, late, send)

    client.application = busy  # type: ignore[method-assign]
    assert client.request()[0] == 200
