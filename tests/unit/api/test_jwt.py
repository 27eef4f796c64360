"""Tokens of users, verified with a shared secret or with the public keys of a real server."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from mashup_worker.api.access.jwt import JwtVerifier
from mashup_worker.errors import ServiceUnavailable, Unauthenticated
from mashup_worker.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a secret that signs the tokens of tests"
USER = uuid4()
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = {
    "keys": [
        {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa"},
        {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec"},
    ]
}


class KeyServer:
    """Server of public keys, which answers with `answer`, or resets connections for None."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if served.answer is None:
                    self.request.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    self.close_connection = True
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(served.answer)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    """Running server."""
    served = KeyServer()
    thread = threading.Thread(target=served.server.serve_forever, args=[0.1])
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture
def key_server(server: KeyServer) -> KeyServer:
    """Running server of both public keys."""
    server.answer = json.dumps(KEYS).encode()
    return server


def claims_of(token: str, **settings: Any) -> dict[str, Any]:
    verifier = JwtVerifier(ApiSettings(**settings))
    return asyncio.run(verifier.claims(token))


def claims(**changed: Any) -> dict[str, Any]:
    now_s = int(time.time())
    return {
        "sub": str(USER),
        "aud": "authenticated",
        "iss": "https://auth.test",
        "exp": now_s + 60,
        **changed,
    }


def token(algorithm: str, key: Any, kid: str | None = None, **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm, headers={"kid": kid} if kid else None)


def hs256_by_hand(secret: bytes, kid: str) -> str:
    """Return a token that the library refuses to sign, as its secret is a public key."""
    parts = ({"alg": "HS256", "typ": "JWT", "kid": kid}, claims())
    text = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts
    )
    signature = base64.urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"=")
    return (text + b"." + signature).decode()


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [("RS256", RSA_KEY, "rsa"), ("ES256", EC_KEY, "ec")],
    ids=["RS256", "ES256"],
)
def test_tokens_of_public_keys_are_accepted(
    key_server: KeyServer, algorithm: str, key: Any, kid: str
) -> None:
    found = claims_of(token(algorithm, key, kid), jwks_url=key_server.url)
    assert UUID(found["sub"]) == USER


def test_tokens_of_the_secret_are_accepted_beside_public_keys(key_server: KeyServer) -> None:
    found = claims_of(token("HS256", SECRET), jwks_url=key_server.url, SUPABASE_JWT_SECRET=SECRET)
    assert UUID(found["sub"]) == USER


@pytest.mark.parametrize("secret", [None, SECRET], ids=["no secret", "a secret"])
@pytest.mark.parametrize(("key", "kid"), [(RSA_KEY, "rsa"), (EC_KEY, "ec")], ids=["RSA", "EC"])
def test_a_public_key_is_no_secret(
    key_server: KeyServer, secret: str | None, key: Any, kid: str
) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for public in (pem, pem.strip(), json.dumps(KEYS["keys"][kid == "ec"]).encode()):
        with pytest.raises(Unauthenticated):
            claims_of(
                hs256_by_hand(public, kid), jwks_url=key_server.url, SUPABASE_JWT_SECRET=secret
            )


FORGED = {
    "by another RSA key": token("RS256", rsa.generate_private_key(65_537, 2_048), "rsa"),
    "by another EC key": token("ES256", ec.generate_private_key(ec.SECP256R1()), "ec"),
    "RSA with the id of EC": token("RS256", RSA_KEY, "ec"),
    "EC with the id of RSA": token("ES256", EC_KEY, "rsa"),
    "unknown key": token("ES256", EC_KEY, "unknown"),
    "no key": token("ES256", EC_KEY),
    "another algorithm": token("RS512", RSA_KEY, "rsa"),
    "expired": token("ES256", EC_KEY, "ec", exp=int(time.time()) - 60),
    "another audience": token("ES256", EC_KEY, "ec", aud="anon"),
    "another issuer": token("ES256", EC_KEY, "ec", iss="https://other.test"),
    "of a service": token("ES256", EC_KEY, "ec", role="service_role"),
    "by a secret that is not set": token("HS256", SECRET),
    "unsigned": token("none", None),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_refused(key_server: KeyServer, name: str) -> None:
    with pytest.raises(Unauthenticated):
        claims_of(FORGED[name], jwks_url=key_server.url, jwt_issuer="https://auth.test")


def test_public_keys_need_an_address() -> None:
    with pytest.raises(Unauthenticated):
        claims_of(token("ES256", EC_KEY, "ec"), SUPABASE_JWT_SECRET=SECRET)


@pytest.mark.parametrize(
    "answer", [None, b"<html>", b'{"keys": []}', b"\xff"], ids=["reset", "page", "empty", "bytes"]
)
def test_a_server_without_public_keys_is_an_outage(
    key_server: KeyServer, answer: bytes | None
) -> None:
    key_server.answer = answer
    with pytest.raises(ServiceUnavailable):
        claims_of(token("ES256", EC_KEY, "ec"), jwks_url=key_server.url)
