"""Versions of hosted models, by the ids that callers pin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mashup_worker.api.replicate.hosted import SIX_KINDS, CjwbwInput, HostedInput, RyanInput
from mashup_worker.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

COG_VERSION = "0.9.0"
"""Version of Cog that clients assume; older ones than 0.3.9 described lists differently."""

_REFERENCE = re.compile(r"(?:(?P<owner>[^/:]+)/(?P<name>[^/:]+))?:?(?P<id>[0-9a-f]{64})?")

_URI = {"type": "string", "format": "uri"}


@dataclass(frozen=True, kw_only=True)
class HostedVersion:
    """Version of a hosted model.

    Attributes:
        id: 64 hexadecimal digits.
        model: `owner/name`.
        input: keys and defaults of its input, and the form of its output.
        output: schema of the output.
    """

    id: str
    model: str
    description: str
    created_at: datetime
    input: type[HostedInput]
    output: Mapping[str, Any]

    def openapi_schema(self, default_model: str) -> dict[str, Any]:
        """Return the schema of input and output, as Cog writes it.

        Args:
            default_model: model of the service where the input names none.
        """
        schema = self.input.model_json_schema(by_alias=True)
        fields = schema["properties"]
        fields[self.input.model_key] = {
            "type": "string",
            "title": self.input.model_key,
            "description": "Model that separates.",
            "enum": list(self.input.models(default_model)),
            "default": default_model,
        }
        audio = {**_URI, "title": "Audio", "description": "Song: an https or data URL."}
        properties = {
            name: {**_without_null(field), "x-order": order}
            for order, (name, field) in enumerate({"audio": audio, **fields}.items())
        }
        schemas = {
            "Input": {
                "type": "object",
                "title": "Input",
                "required": ["audio"],
                "properties": properties,
            },
            "Output": dict(self.output),
        }
        return {
            "openapi": "3.0.2",
            "info": {"title": "Cog", "version": "0.1.0"},
            "paths": {},
            "components": {"schemas": schemas},
        }


def _without_null(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional field as OpenAPI 3.0 has it: absent, but never null."""
    options = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    kept = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    if field.get("default") is not None:
        kept["default"] = field["default"]
    return {**kept, **options[0]} if options else kept


VERSIONS = (
    HostedVersion(
        id="5a7041cc9b82e5a558fea6b3d7b12dea89625e89da33f0447bd727c2d0ab9e77",
        model="ryan5453/demucs",
        description="Separates a song into stems. The output has the stems that exist.",
        created_at=datetime(2024, 8, 15, tzinfo=UTC),
        input=RyanInput,
        output={"type": "object", "title": "Output", "additionalProperties": _URI},
    ),
    HostedVersion(
        id="25a173108cff36ef9f80f854c162d01df9e6528be175794b81158fa03836d953",
        model="cjwbw/demucs",
        description="Separates a song into stems. The output has six keys, null without a stem.",
        created_at=datetime(2023, 5, 12, tzinfo=UTC),
        input=CjwbwInput,
        output={
            "type": "object",
            "title": "ModelOutput",
            "properties": {
                kind: {**_URI, "title": kind.title(), "nullable": True} for kind in SIX_KINDS
            },
        },
    ),
)
"""All versions; each model has one."""

_BY_ID = {version.id: version for version in VERSIONS}
_BY_MODEL = {version.model: version for version in VERSIONS}


def version_of_model(owner: str, name: str) -> HostedVersion:
    """Return the version of a model.

    Raises:
        NotFound: this service stands in for no such model.
    """
    version = _BY_MODEL.get(f"{owner}/{name}")
    if version is None:
        raise NotFound(f"model {owner[:64]}/{name[:64]}: not found; use one of {_names()}")
    return version


def version_of_id(version_id: str) -> HostedVersion | None:
    """Return the version with an id; None if this service stands in for no such version."""
    return _BY_ID.get(version_id)


def version_of_reference(reference: str) -> HostedVersion:
    """Return the version of an id, of `owner/name:id`, or of `owner/name`.

    Raises:
        InvalidInput: this service stands in for no such version.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is not None:
        model = match["owner"] and f"{match['owner']}/{match['name']}"
        found = _BY_ID.get(match["id"]) if match["id"] else _BY_MODEL.get(model)
        if found is not None and model in (None, found.model):
            return found
    names = _names(ids=True)
    raise InvalidInput(f"version: {reference[:160]!r}: not served here; use one of {names}")


def _names(*, ids: bool = False) -> str:
    return ", ".join(f"{one.model}:{one.id}" if ids else one.model for one in VERSIONS)
