"""Addresses of the studio, and what browsers may do with its page."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from mashup_worker.api.problems import answer_with_problems
from mashup_worker.api.studio import pages
from mashup_worker.api.studio.libraries import PAGE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the page whose libraries are complete."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_bytes((PAGE / "index.html").read_bytes())
    (folder / "app.js").write_text("const answer = 42;\n" * 20)
    (folder / "libraries.sha256").write_text("")
    monkeypatch.setattr(pages, "PAGE", folder)
    return folder


@pytest.fixture
def client(page: Path) -> TestClient:
    """A client of the studio alone."""
    assert page.is_dir()
    app = FastAPI()
    app.include_router(pages.router)
    answer_with_problems(app)
    return TestClient(app)


def test_every_view_is_the_same_document(client: TestClient) -> None:
    for path in ("/studio", "/studio/", "/studio/songs/0b7f4d6c", "/studio/unknown"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "/studio/assets/app.js" in answer.text
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
    assert client.post("/studio").status_code == 405


def test_the_policy_allows_the_import_map_and_no_other_inline_code(client: TestClient) -> None:
    answer = client.get("/studio")
    policy = dict(
        directive.split(" ", 1)
        for directive in answer.headers["Content-Security-Policy"].split("; ")
    )
    [import_map] = re.findall(r'<script type="importmap">(.*?)</script>', answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    [nonce] = re.findall(r'<meta name="style-nonce" content="(.*?)">', answer.text)
    assert policy["style-src"] == f"'self' 'nonce-{nonce}'"
    assert nonce not in client.get("/studio").text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_files_are_revalidated_and_compressed(client: TestClient, page: Path) -> None:
    address = "/studio/assets/app.js"
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer.text == (page / "app.js").read_text()
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert len(plain.text) == int(plain.headers["Content-Length"])
    known = {"If-None-Match": f'"other", {answer.headers["ETag"]}'}
    assert client.get(address, headers=known).status_code == 304
    (page / "app.js").write_text("const answer = 43;\n")
    changed = client.get(address, headers=known)
    assert (changed.status_code, changed.text) == (200, "const answer = 43;\n")


@pytest.mark.parametrize(
    "name",
    [
        "missing.js",
        "libraries.sha256",
        "index.html",
        "%2e%2e/secret.js",
        "%2e%2e%2fsecret.js",
        "folder/%2e%2e/app.js",
        "%2fetc/hosts.js",
        "app.js%00",
        "",
        "a" * 300 + ".js",
        "app.js/app.js",
    ],
)
def test_other_files_are_not_served(client: TestClient, page: Path, name: str) -> None:
    (page.parent / "secret.js").write_text("secret")
    (page / "folder").mkdir()
    answer = client.get(f"/studio/assets/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_missing_libraries_are_explained(client: TestClient, page: Path) -> None:
    (page / "libraries.sha256").write_text(f"{'0' * 64}  preact/dist/preact.mjs\n")
    answer = client.get("/studio")
    assert answer.status_code == 503
    assert "python -m mashup_worker.api.studio.libraries" in answer.text


_IMPORT = re.compile(r"""^(?:import|\}).* from "(.+)";$""", re.MULTILINE)


def test_modules_of_the_first_view_are_fetched_at_once() -> None:
    document = (PAGE / "index.html").read_text()
    [text] = re.findall(r'<script type="importmap">(.*?)</script>', document, re.DOTALL)
    addresses = json.loads(text)["imports"]
    needed, found = ["app.js"], set[str]()
    while needed:
        name = needed.pop()
        if name in found:
            continue
        found.add(name)
        if name.startswith("libraries/"):
            continue  # not committed
        for address in _IMPORT.findall((PAGE / name).read_text()):
            library = addresses.get(address, "").removeprefix(f"{pages.ASSETS}/")
            path = posixpath.join(posixpath.dirname(name), address)
            needed.append(library or posixpath.normpath(path))
    preloaded = re.findall(r'<link rel="modulepreload" href="/studio/assets/(.*?)">', document)
    of_libraries = "libraries/@preact/signals-core/dist/signals-core.mjs"
    assert {"app.js", *preloaded} == {*found, of_libraries}
