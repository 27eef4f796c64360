"""The OpenAPI document is complete, and the same as the committed one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker import __version__
from mashup_worker.api.app import openapi_document
from mashup_worker.described import DescribedModel, prose

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "docs" / "openapi.json"
CLIENT = ROOT / "clients" / "typescript"
DOCUMENT = openapi_document()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SIGNED_LINK = "get /v1/files/{token}/{name}"
START_SESSION, END_SESSION = "post /api/session", "delete /api/session"

every_operation = pytest.mark.parametrize("name", OPERATIONS)
every_schema = pytest.mark.parametrize("name", SCHEMAS)


def test_the_committed_document_is_true() -> None:
    wanted = json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"
    assert COMMITTED.read_text(encoding="utf-8") == wanted, (
        "run: mashup schema --openapi > docs/openapi.json"
    )


def test_the_types_of_the_typescript_client_belong_to_the_document() -> None:
    digest = hashlib.sha256(COMMITTED.read_bytes()).hexdigest()
    types = (CLIENT / "schema.d.ts").read_text(encoding="utf-8")
    assert digest in types.partition("\n\n")[0], "run: npm run generate in clients/typescript"


def test_the_typescript_client_names_exact_versions_and_no_registry() -> None:
    package = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    versions = (package["dependencies"] | package["devDependencies"]).values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert package["version"] == __version__
    assert not list(CLIENT.glob("*lock*"))


def test_ids_of_operations_are_distinct() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch("[a-z]+(_[a-z]+)*", one)] == []


def test_tags_are_described() -> None:
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in DOCUMENT["tags"]}


@every_operation
def test_an_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert len(operation["tags"]) == 1
    assert operation["summary"][-1] != "."
    assert "Raises:" not in operation.get("description", "")
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert {"type": "null"} not in parameter["schema"].get("anyOf", ()), parameter["name"]


@every_operation
def test_an_operation_needs_a_token(name: str) -> None:
    operation = OPERATIONS[name]
    if name == SIGNED_LINK:
        assert "security" not in operation
        assert operation["responses"].keys().isdisjoint({"401", "403"})
        return
    assert operation["responses"].keys() >= {"401", "403"}
    if name == START_SESSION:  # by a token, or by the code in its body
        assert operation["security"] == [{"token": []}, {}]
    elif name == END_SESSION:  # or nothing, without a session
        assert operation["security"] == [{"session": []}, {}]
    else:
        schemes = ("token", "session") if "/api/" in name else ("token",)
        assert operation["security"] == [{scheme: []} for scheme in schemes]
        assert "Mashup-User" in headers(operation)


@every_operation
def test_errors_are_problems(name: str) -> None:
    answers = OPERATIONS[name]["responses"]
    assert answers.keys() >= {"404", "422", "429", "503"}
    if "requestBody" in OPERATIONS[name]:
        assert answers.keys() >= {"408", "413"}
    for status, answer in answers.items():
        if status >= "400":
            content = resolved(answer)["content"]
            assert list(content) == ["application/problem+json"]
            assert content["application/problem+json"]["schema"] == {
                "$ref": "#/components/schemas/Problem"
            }


def test_unavailable_services_state_when_to_repeat() -> None:
    for name in ("TooManyRequests", "ServiceUnavailable"):
        assert "Retry-After" in DOCUMENT["components"]["responses"][name]["headers"]


def test_creations_of_jobs_have_idempotency_keys() -> None:
    creations = {
        name
        for name, one in OPERATIONS.items()
        if "202" in one["responses"] and "cancel" not in name
    }
    assert creations == {
        "post /api/audio/separate",
        "post /api/mashup/ai",
        "post /api/jobs",
        "post /api/jobs/{job_id}/retry",
        "post /api/jobs/{job_id}/exports",
        "post /api/fleet/jobs/{job_id}/retry",
        "post /api/songs/{song_id}/exports",
    }
    for name in creations:
        assert "Idempotency-Key" in headers(OPERATIONS[name])


def test_answers_have_their_media_types() -> None:
    def content(name: str) -> list[str]:
        return list(OPERATIONS[name]["responses"]["200"]["content"])

    assert content("get /api/jobs/{job_id}/events") == ["text/event-stream"]
    assert content("get /api/stems/{stem_id}/audio") == ["audio/*"]
    assert content("get /api/mashups/{mashup_id}/peaks") == ["application/json"]
    assert content(SIGNED_LINK) == ["*/*"]


@every_schema
def test_a_schema_is_described(name: str) -> None:
    schema = SCHEMAS[name]
    assert "__" not in name
    assert schema["description"]
    assert "Attributes:" not in schema["description"]
    assert "title" not in schema
    bare = [field for field, one in schema.get("properties", {}).items() if not explained(one)]
    assert not bare, "describe these fields or give them examples"


def test_results_of_jobs_are_typed() -> None:
    kinds = SCHEMAS["JobDocument"]["properties"]["output_data"]["anyOf"]
    names = [kind.get("$ref", "").rpartition("/")[2] for kind in kinds]
    assert names == ["SeparateOutput", "AnalyzeOutput", "MashupOutput", "MasterOutput", ""]
    assert "JobEvent" in SCHEMAS


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        resolved({"$ref": reference})


def test_docstrings_describe_models_and_their_fields() -> None:
    class Base(DescribedModel):
        """Thing of
        two lines.

        Attributes:
            one, two: first and second,
                continued.
            other: no field.
        """

        one: int
        two: int

    class Derived(Base):
        """Special thing.

        With a second paragraph.

        Attributes:
            two: special second.
        """

        three: int

    assert Base.model_json_schema()["description"] == "Thing of two lines."
    schema = Derived.model_json_schema()
    assert schema["description"] == "Special thing.\n\nWith a second paragraph."
    texts = {name: one.get("description") for name, one in schema["properties"].items()}
    assert texts == {"one": "First and second, continued.", "two": "Special second.", "three": None}


@pytest.mark.parametrize(
    ("docstring", "wanted"),
    [
        (None, ""),
        ("Do it.", "Do it."),
        (
            "Do it\n    now.\n\n    Or later.\n\n    Raises:\n        X: no.\n",
            "Do it now.\n\nOr later.",
        ),
    ],
)
def test_prose(docstring: str | None, wanted: str) -> None:
    assert prose(docstring) == wanted


def headers(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def explained(schema: dict[str, Any]) -> bool:
    """Return whether a field has a description, an example, a default, or a type that says it."""
    known = ("description", "examples", "default", "enum", "const", "format", "$ref", "properties")
    if any(word in schema for word in known) or schema.get("type") in ("boolean", "object"):
        return True
    if schema.get("type") == "array":
        return explained(schema["items"])
    return any(explained(kind) for kind in schema.get("anyOf", ()))
