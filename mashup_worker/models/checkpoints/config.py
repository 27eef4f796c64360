"""Read the untrusted YAML of a checkpoint.

Only plain values are read. Trainers write some lists with the tag `!!python/tuple`, which is
accepted for plain scalars; any other tag could name code and is refused. So are aliases that stand
for more values than a configuration has: a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

MAX_CONFIG_BYTES = 1 << 20
"""Longest configuration; those of published models have some kilobytes."""

MAX_VALUES = 100_000
"""Most values, those behind each alias included."""

_TUPLE_TAG = "tag:yaml.org,2002:python/tuple"

_FLOAT_WITHOUT_POINT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")
"""Form such as `1e-3`, a number for the trainers' readers and a text in YAML 1.1."""


class _Loader(yaml.SafeLoader):
    def tuple_of_scalars(self, node: yaml.Node) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode) or not all(
            isinstance(item, yaml.ScalarNode) for item in node.value
        ):
            raise yaml.constructor.ConstructorError(
                None, None, "!!python/tuple is not a list of plain values", node.start_mark
            )
        return tuple(self.construct_object(item) for item in node.value)

    def refused(self, node: yaml.Node) -> None:
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        raise yaml.constructor.ConstructorError(
            None, None, f"the tag {tag[:80]!r} is not allowed", node.start_mark
        )


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT_WITHOUT_POINT, list("-+0123456789"))
_Loader.add_constructor(_TUPLE_TAG, _Loader.tuple_of_scalars)
_Loader.add_constructor(None, _Loader.refused)


def read_config(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        ModelUnavailable: the file is missing, too long, not YAML, not a mapping, or has a tag other
            than `!!python/tuple`, or too many values.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ModelUnavailable(f"{path}: {error.strerror or error}") from error
    if len(text) > MAX_CONFIG_BYTES:
        raise ModelUnavailable(f"{path}: longer than {MAX_CONFIG_BYTES} bytes; not a configuration")
    return parse_config(text, str(path))


def parse_config(text: str | bytes, where: str) -> dict[str, Any]:
    """Return the mapping in a YAML text; `where` names it in messages. Raises as `read_config`."""
    try:
        config = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        values = _count(config, {})
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ModelUnavailable(f"{where}{line}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ModelUnavailable(f"{where}: not YAML") from error
    except RecursionError:
        raise ModelUnavailable(f"{where}: nested too deeply") from None
    if values > MAX_VALUES:
        raise ModelUnavailable(f"{where}: more than {MAX_VALUES} values")
    if not isinstance(config, dict):
        raise ModelUnavailable(f"{where}: not a mapping of keys")
    return config


def _count(value: object, counts: dict[int, int]) -> int:
    """Return the number of values in a tree; a node within itself has no end."""
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in counts:
        counts[id(value)] = MAX_VALUES + 1  # stands where the node is met again inside
        inner = value.values() if isinstance(value, dict) else value
        counts[id(value)] = 1 + sum(_count(one, counts) for one in inner)
    return counts[id(value)]
