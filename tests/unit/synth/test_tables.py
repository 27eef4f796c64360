"""Tables of styles: a misspelled field is an error, not a default."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from synth.bandstand.styles import Style as BandStyle
from synth.jukebox.styles import Line
from synth.jukebox.styles import Style as JukeboxStyle
from synth.tables import read_table


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (BandStyle, read_table("bandstand/styles.toml")["style"][0]),
        (JukeboxStyle, read_table("jukebox/styles/band.toml")["style"][0] | {"lines": []}),
        (Line, {"layer": "pad", "kind": "chord", "patterns": ["x"], "voices": ["organ"]}),
    ],
)
def test_unknown_fields_are_refused(kind: type, given: dict[str, Any]) -> None:
    reader = TypeAdapter[Any](kind)
    reader.validate_python(given)
    with pytest.raises(ValidationError, match="melodie"):
        reader.validate_python(given | {"melodie": "mid"})
