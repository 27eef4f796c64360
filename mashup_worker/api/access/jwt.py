"""Verification of the JWTs that Supabase gives to its users."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKSetError, PyJWTError

from mashup_worker.errors import ServiceUnavailable, Unauthenticated

if TYPE_CHECKING:
    from mashup_worker.settings import ApiSettings

_PUBLIC_KEY_ALGORITHMS = ("ES256", "RS256")
_REQUIRED = ("exp", "sub", "iss", "aud")
_LEEWAY_S = 10
_KEYS_LIFETIME_S = 300
_FETCH_TIMEOUT_S = 5


class JwtVerifier:
    """Verifies tokens signed with a shared secret (HS256), or with a key of a JWKS.

    The algorithm decides which key is used, and no key serves both kinds: otherwise anybody could
    sign tokens with the public key as the secret.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._keys = (
            PyJWKClient(
                settings.jwks_url,
                cache_keys=True,
                lifespan=_KEYS_LIFETIME_S,
                timeout=_FETCH_TIMEOUT_S,
            )
            if settings.jwks_url
            else None
        )

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token of a user.

        Raises:
            Unauthenticated: the token is invalid, expired, or of another kind.
            ServiceUnavailable: the public keys can't be fetched.
        """
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
            if algorithm == "HS256" and self._settings.jwt_secret is not None:
                key: str | PyJWK = self._settings.jwt_secret.get_secret_value()
            elif algorithm in _PUBLIC_KEY_ALGORITHMS and self._keys is not None:
                # The client blocks while it fetches keys.
                key = await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)
            else:
                raise Unauthenticated("token: invalid; its algorithm is not accepted")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                leeway=_LEEWAY_S,
                options={"require": list(_REQUIRED)},
            )
        except (PyJWKClientConnectionError, PyJWKSetError, OSError, ValueError) as error:
            raise ServiceUnavailable("JWKS: the public keys can't be fetched") from error
        except PyJWTError as error:
            raise Unauthenticated(f"token: invalid: {error}") from error
        if claims.get("role", "authenticated") != "authenticated":
            raise Unauthenticated("token: invalid: not of a user")
        try:
            claims["sub"] = str(UUID(claims["sub"]))
        except ValueError as error:
            raise Unauthenticated("token: invalid: its subject is not a UUID") from error
        return claims
