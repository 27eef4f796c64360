"""Licenses of the weights of models, and rules that allow some of them.

A license has an id: that of SPDX where one exists, else a word of ours such as `scientific-only`,
or the text that a user stated for a model of his own. Its class says what a business may do:

    permissive   use them, and pass them on with the notice of their authors
    restricted   only what the authors allow, who state a purpose or a condition
    unknown      nothing is stated; ask the authors

Statements are quoted with their place and date, since they can change. This is no legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from mashup_worker.errors import InvalidInput, ModelNotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LicenseClass = Literal["permissive", "restricted", "unknown"]
CLASSES: tuple[LicenseClass, ...] = get_args(LicenseClass)

BUSINESS_USE: Mapping[LicenseClass, str] = {
    "permissive": "yes",
    "restricted": "ask the author",
    "unknown": "no statement",
}
"""Whether a business may use the weights, by the class of their license."""

_PERMISSIVE = (
    *("MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Zlib"),
    *("Unlicense", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0"),
)
_COPYLEFT = ("GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0")
_RESTRICTED = (
    *("CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0"),
    *("CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "MPL-2.0"),
    *(f"{name}{suffix}" for name in _COPYLEFT for suffix in ("", "-only", "-or-later")),
)
_SCIENTIFIC_ONLY, NOT_STATED = "scientific-only", "not-stated"
_CLASS_OF_ID: Mapping[str, LicenseClass] = {
    **dict.fromkeys(_PERMISSIVE, "permissive"),
    **dict.fromkeys(_RESTRICTED, "restricted"),
    _SCIENTIFIC_ONLY: "restricted",
    NOT_STATED: "unknown",
}
_SPELLING = {name.lower(): name for name in (*_CLASS_OF_ID, *CLASSES)}

_LONGEST_ID = 100
_AND = " AND "


@dataclass(frozen=True, kw_only=True)
class License:
    """License of the weights of a model.

    Attributes:
        id: SPDX id, a word of ours, or the text that a user stated.
        statement: who said what.
        source: address of the statement; empty if unknown.
        stated_on: date of the statement, `YYYY-MM-DD` or the first part of it; empty if unknown.
        note: remark, such as an open question.
    """

    id: str
    statement: str
    source: str = ""
    stated_on: str = ""
    note: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Ids that all hold: several for a model of several networks."""
        return tuple(self.id.split(_AND))

    @property
    def license_class(self) -> LicenseClass:
        """What a business may do; `unknown` for ids that are not known here."""
        found = {_CLASS_OF_ID.get(part, "unknown") for part in self.parts}
        return next(one for one in ("restricted", "unknown", "permissive") if one in found)

    @property
    def business_use(self) -> str:
        """Whether a business may use the weights, in words."""
        return BUSINESS_USE[self.license_class]

    def as_dict(self) -> dict[str, str]:
        """Return the license for JSON."""
        return {"id": self.id, "license_class": self.license_class, **_texts(self)}

    def __str__(self) -> str:
        return f"{self.id} ({self.license_class})"


def _texts(terms: License) -> dict[str, str]:
    names = ("statement", "source", "stated_on", "note")
    return {name: getattr(terms, name) for name in names}


def combined(licenses: Iterable[License]) -> License:
    """Return the license of a model of several networks: all of theirs hold."""
    found = list(dict.fromkeys(licenses))
    if len(found) == 1:
        return found[0]
    parts = sorted({part for one in found for part in one.parts})
    statements = "; ".join(f"{one.id}: {one.statement}" for one in found)
    sources = " ".join(filter(None, (one.source for one in found)))
    return License(id=_AND.join(parts), statement=statements, source=sources)


def license_as_stated(text: str | None, source: str = "", stated_on: str = "") -> License:
    """Return the license that a user states for a model of his own; None for no statement.

    Raises:
        InvalidInput: the text is empty or too long, or contains a comma or a line break.
    """
    if text is None:
        return License(id=NOT_STATED, statement="none stated when added", source=source)
    return License(
        id=_license_id(text), statement="as stated when added", source=source, stated_on=stated_on
    )


def _license_id(text: str) -> str:
    """Return an id in the spelling of SPDX, or another text as it is."""
    text = text.strip()
    if not (0 < len(text) <= _LONGEST_ID and text.isprintable() and "," not in text):
        raise InvalidInput(
            f"license {text[:_LONGEST_ID]!r}: not a name; use an SPDX id, or up to {_LONGEST_ID} "
            "characters without a comma"
        )
    return _SPELLING.get(text.lower(), text)


@dataclass(frozen=True)
class LicenseRule:
    """Licenses that are allowed.

    Attributes:
        allowed: classes and ids of licenses; empty for all.
    """

    allowed: tuple[str, ...] = ()

    @classmethod
    def of(cls, terms: Iterable[str]) -> LicenseRule:
        """Return the rule that allows `terms`: classes and ids, or lists of them with commas.

        Raises:
            InvalidInput: a term is no name of a license.
        """
        names = (name for term in terms for name in term.split(","))
        return cls(tuple(dict.fromkeys(_license_id(name) for name in names)))

    def allows(self, terms: License) -> bool:
        """Return whether weights with this license may be used."""
        return not self.allowed or all(
            part in self.allowed or _CLASS_OF_ID.get(part, "unknown") in self.allowed
            for part in terms.parts
        )

    def __str__(self) -> str:
        return ", ".join(self.allowed) or "all"


NO_STATEMENT = License(id=NOT_STATED, statement="no license is stated with the weights")
"""License of weights without any statement."""

KNOWN_TERMS = frozenset(_SPELLING.values())
"""Classes, and ids whose class is known."""

ALL_LICENSES = LicenseRule()
"""Rule that allows every license."""

DEMUCS_LICENSE = License(
    id=_SCIENTIFIC_ONLY,
    statement=(
        "Alexandre Défossez, their author: not covered by the MIT license of the code, and "
        "provided only for scientific purposes"
    ),
    source="https://github.com/facebookresearch/demucs/issues/327",
    stated_on="2022-05-23",
    note=(
        "said again on 2023-08-02 in issue 508; the cards of htdemucs on the Hugging Face hub "
        "named MIT from 2026-07-11 to 2026-08-31, and name no license since"
    ),
)
SPLEETER_LICENSE = License(
    id="MIT",
    statement=(
        "Hennequin et al., Spleeter's authors: source code and pre-trained models are distributed "
        "under an MIT license"
    ),
    source="https://doi.org/10.21105/joss.02154",
    stated_on="2020-06",
    note="the README names the code only, and questions about it (issues 898, 957, 959) are open",
)
SCNET_LICENSE = License(
    id="MIT",
    statement=(
        "starrytong, their author: the released SCNet and SCNet-large weights are under the MIT "
        "license of the code; they may be redistributed and converted"
    ),
    source="https://github.com/starrytong/SCNet/issues/35",
    stated_on="2026-07-17",
)
KIM_LICENSE = License(
    id="MIT",
    statement="Kimberley Jensen, its author, in the model card: MIT",
    source="https://huggingface.co/KimberleyJSN/melbandroformer",
    note="the card named no license until June 2025, and then GPL-3.0 for a short time",
)

CATALOGUE_LICENSES: Mapping[str, License] = {
    **dict.fromkeys(("htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"), DEMUCS_LICENSE),
    **dict.fromkeys(("mdx_extra", "mdx"), DEMUCS_LICENSE),
    **dict.fromkeys(("scnet", "scnet_large"), SCNET_LICENSE),
    "kim_vocals": KIM_LICENSE,
    "kim_htdemucs": combined((KIM_LICENSE, DEMUCS_LICENSE)),
    "kim_scnet_large": combined((KIM_LICENSE, SCNET_LICENSE)),
    "lite": SPLEETER_LICENSE,
}
"""License of each model of the catalogue; rooms that must not import `models` read it too."""


def check_known_model(name: str | None, rule: LicenseRule) -> None:
    """Check the license of a model by its name, as far as this module knows it.

    Raises:
        ModelNotAllowed: the model is of the catalogue, and the rule excludes its license.
    """
    terms = CATALOGUE_LICENSES.get(name or "")
    if name is None or terms is None or rule.allows(terms):
        return
    allowed = [other for other, one in CATALOGUE_LICENSES.items() if rule.allows(one)]
    remedy = f"use one of {', '.join(allowed)}" if allowed else "no known model is allowed"
    raise ModelNotAllowed(f"{refusal(name, terms, rule)}; {remedy}")


def refusal(name: str, terms: License, rule: LicenseRule) -> str:
    """Return why a model is not allowed."""
    return f"{name}: its license is {terms}, and allowed is only {rule}"
