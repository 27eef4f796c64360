"""Models whose docstrings describe them in JSON Schema."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$", re.MULTILINE)
_ATTRIBUTES = re.compile(r"^Attributes:\n((?:    .*\n?|\n)*)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)


class DescribedModel(BaseModel):
    """Model whose docstring describes it and its fields, those of its bases too."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema with the descriptions."""
        schema = handler(core_schema)
        found = handler.resolve_ref_schema(schema)
        found["description"] = prose(cls.__doc__)
        properties = found.get("properties", {})
        for name, description in _attributes(cls).items():
            if name in properties:
                properties[name].setdefault("description", description)
        return schema


def prose(docstring: str | None) -> str:
    """Return the paragraphs of a docstring before its first section, each on one line."""
    text = _SECTION.split(inspect.cleandoc(docstring or ""))[0]
    return "\n\n".join(_line(paragraph) for paragraph in text.strip().split("\n\n"))


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Return the descriptions of the fields of a model, as sentences."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        section = _ATTRIBUTES.search(inspect.cleandoc(kind.__doc__ or ""))
        for names, text in _ATTRIBUTE.findall(section[1] if section else ""):
            sentence = _line(text)
            found |= dict.fromkeys(names.split(", "), sentence[0].upper() + sentence[1:])
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
