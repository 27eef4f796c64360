"""Templates of the HTML pages, and the formatting of their values."""

from __future__ import annotations

import base64
from importlib import resources
from math import isinf, isnan

import jinja2


def template(name: str, package: str = __package__) -> jinja2.Template:
    """Return a template of a package, with the filters `clock` and `figure`."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clock": clock, "figure": figure}
    return environment.from_string(static(name, package))


def static(name: str, package: str = __package__) -> str:
    """Return a file of a package as text."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def data_uri(media_type: str, data: bytes) -> str:
    """Return data as a URI that contains it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def clock(seconds: float, digits: int = 0) -> str:
    """Return minutes and seconds, such as `1:05` or, with one digit, `1:05.3`."""
    ticks = round(seconds * 10**digits)
    minutes, rest = divmod(ticks, 60 * 10**digits)
    width = 2 + (digits + 1 if digits else 0)
    return f"{minutes}:{rest / 10**digits:0{width}.{digits}f}"


def figure(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Return a number as text with minus and infinity signs; a dash for unknown values."""
    if value is None or isnan(value):
        return "\N{EN DASH}"
    text = "\N{INFINITY}" if isinf(value) else f"{abs(value):.{digits}f}"
    negative = value < 0 and text.strip("0.") != ""
    return ("\N{MINUS SIGN}" if negative else "+" if sign else "") + text
