"""Fetch of untrusted URLs from scripted servers."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from mashup_worker.errors import (
    FetchFailed,
    FetchRefused,
    InvalidInput,
    MashupError,
    StorageFailed,
    TooLarge,
)
from mashup_worker.storage.connection import is_public
from mashup_worker.storage.fetch import fetch, post
from mashup_worker.tracing import job_trace
from tests.hostile.certificates import context_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = bytes | Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\n"
HANGS_S = 60.0
"""A server that hangs does so for longer than a loaded machine delays a deadline."""


def answer(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    lines = [b"Content-Length: %d" % (len(body) if length is None else length), *headers]
    return OK + b"\r\n".join(lines) + b"\r\n\r\n" + body


def redirect(where: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


def status(line: str) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode()


@dataclass
class Server:
    """Server with scripted answers."""

    answers: dict[str, Answer]
    listener: socket.socket
    requests: list[str] = field(default_factory=list)
    context: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def url(self, path: str = "/song", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65_536)
                self.requests.append(request.decode())
                found = self.answers[request.split()[1].decode()]
                if callable(found):
                    found(connection)
                else:
                    connection.sendall(found)
        except OSError:
            connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        served = Server({}, listener)
        thread = threading.Thread(target=served.serve, daemon=True)
        thread.start()
        yield served
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "into" / "song"


def get(url: str, target: Path, *, max_bytes: int = 1000, timeout_s: float = 60.0) -> bytes:
    fetch(url, target, max_bytes=max_bytes, timeout_s=timeout_s, allow_private=True)
    return target.read_bytes()


def refuse(url: str, target: Path) -> str:
    with pytest.raises(FetchRefused) as error:
        fetch(url, target, max_bytes=1000, timeout_s=60.0)
    assert not target.exists()
    return error.value.message


def fail(
    kind: type[MashupError], url: str, target: Path, max_bytes: int = 1000, timeout_s: float = 60.0
) -> str:
    with pytest.raises(kind) as error:
        get(url, target, max_bytes=max_bytes, timeout_s=timeout_s)
    assert error.type is kind
    assert not target.parent.exists() or not list(target.parent.iterdir())
    assert "secret" not in error.value.message
    assert "\n" not in error.value.message
    return error.value.message


def resolve_to(
    monkeypatch: pytest.MonkeyPatch, *addresses: str, first_only: bool = False
) -> list[str]:
    """Resolve all names to these addresses; return the list of resolved names."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        if first_only and len(asked) > 1:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in addresses]
        kind = socket.SOCK_STREAM
        return [(f, kind, 6, "", (a, port)) for f, a in zip(families, addresses, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_reads_a_file(server: Server, target: Path) -> None:
    body = bytes(range(256)) * 3
    server.answers["/a%20b/%C3%BC?x=1&y=%2F"] = answer(body)
    assert get(server.url("/a%20b/ü?x=1&y=%2F#part"), target) == body
    head = server.requests[0].split("\r\n")
    assert "Accept-Encoding: identity" in head
    assert f"Host: 127.0.0.1:{server.port}" in head


def test_requests_carry_the_trace_context_of_their_job(server: Server, target: Path) -> None:
    server.answers["/first"], server.answers["/song"] = redirect("/song"), answer(b"x")
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with job_trace("job separate", traceparent, {}):
        get(server.url("/first"), target)
    get(server.url(), target)
    carried = [f"traceparent: {traceparent}" in head.split("\r\n") for head in server.requests]
    assert carried == [True, True, False]


def test_reads_chunks_and_bodies_without_a_length(server: Server, target: Path) -> None:
    chunks = b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n"
    server.answers["/chunks"] = OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    server.answers["/cut"] = OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks[:-12]
    server.answers["/end"] = OK + b"Connection: close\r\n\r\nto the end"
    server.answers["/empty"] = answer(b"")
    assert get(server.url("/chunks"), target) == b"wikipedia"
    assert get(server.url("/end"), target) == b"to the end"
    assert get(server.url("/empty"), target) == b""
    target.unlink()
    fail(FetchFailed, server.url("/cut"), target)


def test_ignores_proxies_of_the_environment(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers["/song"] = answer(b"song")
    assert get(server.url(), target) == b"song"


def test_follows_three_redirects(server: Server, target: Path) -> None:
    server.answers |= {
        "/0": redirect("1?secret"),
        "/1?secret": redirect(server.url("/2")),
        "/2": redirect(f"//127.0.0.1:{server.port}/3"),
        "/3": answer(b"song"),
        "/more": redirect("/0"),
        "/no-location": status("302 Found"),
    }
    assert get(server.url("/0"), target) == b"song"
    target.unlink()
    assert "more than 3 times" in fail(FetchRefused, server.url("/more"), target)
    assert "without a location" in fail(FetchFailed, server.url("/no-location"), target)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://a/b", "http://a:b@c/secret"])
def test_redirects_to_other_schemes_are_refused(server: Server, target: Path, where: str) -> None:
    server.answers["/song"] = redirect(where)
    fail(FetchRefused, server.url(), target)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("404 Not Found", InvalidInput),
        ("403 Forbidden", InvalidInput),
        ("206 Partial Content", InvalidInput),
        ("429 Too Many Requests", FetchFailed),
        ("503 Service Unavailable", FetchFailed),
    ],
)
def test_error_answers_are_retryable_or_not(
    server: Server, target: Path, line: str, kind: type[MashupError]
) -> None:
    server.answers["/song?token=secret"] = status(line)
    message = fail(kind, server.url("/song?token=secret"), target)
    assert line[:3] in message


def test_the_size_limit_does_not_depend_on_the_header(server: Server, target: Path) -> None:
    server.answers |= {
        "/exact": answer(b"x" * 1000),
        "/declared": answer(b"", length=1001),
        "/undeclared": OK + b"\r\n" + b"x" * 1001,
        "/chunks": OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"1f4\r\n"
        + b"x" * 500
        + b"\r\n" * 1,
    }
    assert len(get(server.url("/exact"), target)) == 1000
    target.unlink()
    for path in ("/declared", "/undeclared"):
        assert "limit of 0.001 MB" in fail(TooLarge, server.url(path), target)
    fail(TooLarge, server.url("/chunks"), target, max_bytes=100)


def test_a_body_shorter_than_its_length_fails(server: Server, target: Path) -> None:
    server.answers["/song"] = answer(b"x" * 10, length=11)
    assert "10 of 11 bytes" in fail(FetchFailed, server.url(), target)


def test_a_body_is_cut_at_its_length(server: Server, target: Path) -> None:
    server.answers["/song"] = answer(b"x" * 10 + b"more", length=10)
    assert get(server.url(), target) == b"x" * 10


def test_compressed_bodies_are_refused(server: Server, target: Path) -> None:
    server.answers["/song"] = answer(b"x", b"Content-Encoding: gzip")
    assert "compressed" in fail(FetchFailed, server.url(), target)


def trickle(start: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        until_s = time.monotonic() + HANGS_S
        while time.monotonic() < until_s:
            connection.sendall(b"x")  # raises once the other side hangs up
            time.sleep(0.05)

    return talk


def stay_silent(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    "slow", [trickle(answer(b"", length=500)), trickle(OK + b"X-Long: "), stay_silent]
)
def test_one_deadline_for_everything(server: Server, target: Path, slow: Answer) -> None:
    server.answers |= {"/song": redirect("/slow"), "/slow": slow}
    begin_s = time.monotonic()
    assert "took too long" in fail(FetchFailed, server.url(), target, timeout_s=0.4)
    assert time.monotonic() - begin_s < HANGS_S / 2


def test_a_name_resolution_that_hangs_meets_the_deadline(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(HANGS_S))
    begin_s = time.monotonic()
    assert "took too long" in fail(FetchFailed, "http://song.example/", target, timeout_s=0.2)
    assert time.monotonic() - begin_s < HANGS_S / 2
    answered.set()


def test_answers_that_are_not_http_fail(server: Server, target: Path) -> None:
    server.answers["/song?secret"] = b"secret\x1b[31m nonsense\r\n\r\n"
    server.answers["/hangs-up"] = b""
    fail(FetchFailed, server.url("/song?secret"), target)
    fail(FetchFailed, server.url("/hangs-up"), target)


def test_a_closed_port_fails(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    message = fail(FetchFailed, f"http://127.0.0.1:{port}/?secret", target)
    assert message == "127.0.0.1: Connection refused"


def test_a_name_that_does_not_exist(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, first_only=True)
    socket.getaddrinfo("", 0)
    assert "not known" in fail(FetchFailed, "http://song.example/?secret", target)


def test_invalid_hosts_are_refused(target: Path) -> None:
    for host in ("a" * 70, "a..b", "a%2eb", "\u202e", "a" * 63 + ".a" * 100):
        assert "neither a name nor" in fail(FetchRefused, f"http://{host}.example/", target)


def test_an_unwritable_target_is_a_storage_error(server: Server, tmp_path: Path) -> None:
    server.answers["/song"] = answer(b"song")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot be written"):
        get(server.url(), tmp_path / "file" / "song")


def test_the_next_address_is_tried(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve_to(monkeypatch, "127.0.0.77", "127.0.0.1", first_only=True)
    server.answers["/song"] = answer(b"song")
    assert get(server.url(host="song.example"), target) == b"song"
    assert asked == ["song.example"]  # once, so the checked addresses are the ones used
    assert f"Host: song.example:{server.port}" in server.requests[0].split("\r\n")


def test_a_machine_without_ipv6_takes_the_next_address(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = socket.getaddrinfo
    unknown = (socket.AF_APPLETALK, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 80, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [unknown, *asked(*a, **k)])
    server.answers["/song"] = answer(b"song")
    assert get(server.url(), target) == b"song"


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.215.14/song",
        "ftp://93.184.215.14/song",
        "file:///etc/passwd",
        "93.184.215.14/song",
        "",
        "https://",
        "https:///song",
        "https://93.184.215.14:8443/song",
        "https://93.184.215.14:99999/song",
        "https://93.184.215.14:x/song",
        "https://user@93.184.215.14/song",
        "https://user:secret@93.184.215.14/song",
        "https://@93.184.215.14/song",
        "https://93.184.215.14\\@127.0.0.1/song",
        "https://127.0.0.1\\.93.184.215.14/song",
        "https://93.184.215.14/a b",
        "https://93.184.215.14/a\r\nHost: other",
        "https://[93.184.215.14/song",
    ],
)
def test_invalid_urls_are_refused(url: str, target: Path) -> None:
    assert "secret" not in refuse(url, target)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "127.1",
            "0",
            "0.0.0.0",
        ),
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("192.0.0.192", "168.63.129.16", "224.0.0.1", "255.255.255.255"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
        *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fec0::1]", "[fe80::1]", "[fc00::1]"),
        *("[fd00:ec2::254]", "[ff02::1]", "[::ffff:8.8.8.8]"),
    ],
)
def test_private_addresses_are_refused(host: str, target: Path) -> None:
    assert "not public" in refuse(f"https://{host}/song?secret", target)


@pytest.mark.parametrize(
    "addresses", [("93.184.215.14", "127.0.0.1"), ("2606:4700::1111", "::1"), ("10.0.0.1",)]
)
def test_one_private_address_is_enough(
    addresses: tuple[str, ...], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, *addresses)
    assert refuse("https://song.example/", target) == "song.example: its address is not public"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def secure(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Server with a certificate for `song.example`, which this process trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509"]
    names = ["-subj", "/CN=song.example", "-addext", "subjectAltName=DNS:song.example"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [openssl, "req", *options, *names, *files], check=True, capture_output=True, timeout=30
    )
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate, key)
    server.answers["/song"] = answer(b"song")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolve_to(monkeypatch, "127.0.0.1")
    return server


def test_certificates_are_for_names(secure: Server, target: Path) -> None:
    assert get(secure.url(host="song.example").replace("http", "https"), target) == b"song"
    target.unlink()
    url = secure.url(host="other.example").replace("http", "https")
    assert "certificate" in fail(FetchFailed, url, target)


def test_the_host_header_has_no_default_port(
    secure: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.socket.connect
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, _: connect(self, ("127.0.0.1", secure.port))
    )
    assert get("https://song.example/song", target) == b"song"
    assert "Host: song.example" in secure.requests[0].split("\r\n")


def send(url: str, body: bytes = b"{}", timeout_s: float = 60.0) -> int:
    return post(url, body, {"X-Name": "a"}, timeout_s=timeout_s, allow_private=True)


def test_posts_a_body(server: Server) -> None:
    rest = []

    def accept(connection: socket.socket) -> None:
        if server.requests[0].endswith("\r\n"):  # the body did not arrive with the head
            rest.append(connection.recv(100).decode())
        connection.sendall(status("202 Accepted"))

    server.answers["/hook?token=1"] = accept
    assert send(server.url("/hook?token=1"), b"{1}") == 202
    head, _, body = "".join(server.requests + rest).partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "POST /hook?token=1 HTTP/1.1"
    assert {"X-Name: a", "Content-Length: 3"} <= set(lines)
    assert body == "{1}"


def test_a_post_follows_no_redirect_and_reads_no_body(server: Server) -> None:
    server.answers |= {"/song": redirect("/secret"), "/long": trickle(answer(b"", length=10**9))}
    assert send(server.url()) == 302
    assert send(server.url("/long")) == 200
    assert len(server.requests) == 2


def test_a_post_reaches_no_private_address(server: Server) -> None:
    for url in (server.url("/?secret"), "https://127.0.0.1/?secret", "https://[::1]/?secret"):
        with pytest.raises(FetchRefused) as error:
            post(url, b"", {}, timeout_s=60.0)
        assert "secret" not in error.value.message
    assert server.requests == []


def read_slowly(connection: socket.socket) -> None:
    until_s = time.monotonic() + HANGS_S
    while time.monotonic() < until_s and connection.recv(1_000):
        time.sleep(0.05)


def read_silently(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


@pytest.mark.parametrize("slow", [read_slowly, read_silently, trickle(OK + b"X-Long: ")])
@pytest.mark.parametrize("tls", [False, True])
def test_one_deadline_for_a_post(
    server: Server, slow: Answer, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/song"] = slow
    url = server.url()
    if tls:
        authority = trustme.CA()
        server.context = context_for(authority, "127.0.0.1")
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        url = url.replace("http:", "https:")
    begin_s = time.monotonic()
    with pytest.raises(FetchFailed, match="took too long"):
        send(url, bytes(50_000_000), timeout_s=1.0)
    assert time.monotonic() - begin_s < HANGS_S / 2
