"""Names of stems that users give: files will have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, STEM_SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

_OF_THE_MIX = ("mix", *STEM_SYNONYMS)
"""Names that stand for the mix, or for it without a stem."""

STEM_NAME_RULE = (
    f"use lower-case letters, digits, `_` and `-`, not {', '.join(_OF_THE_MIX)}, and no "
    f"`{COMPLEMENT_PREFIX}` at the start"
)


def is_stem_name(name: str) -> bool:
    """Return whether files may have the name, and whether it stands for a stem."""
    is_mix = name in _OF_THE_MIX or name.startswith(COMPLEMENT_PREFIX)
    return _STEM.fullmatch(name) is not None and not is_mix


def check_stems(stems: Sequence[str], where: str) -> None:
    """Check untrusted names of stems.

    Raises:
        ModelUnavailable: one is not a plain name.
    """
    for stem in stems:
        if not is_stem_name(stem):
            raise ModelUnavailable(f"{where}: not a name of a stem: {stem[:40]!r}")
