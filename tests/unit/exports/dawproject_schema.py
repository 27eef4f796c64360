"""The published schemas of DAWproject 1.0, as far as the writer uses them, and a check by them.

The tables hold facts of `Project.xsd` and `MetaData.xsd`: names, types, order and numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

_NAMED = " name color comment"
_REFERENCED = " id:ID" + _NAMED
_TIMELINE = " timeUnit:timeUnit track:IDREF" + _REFERENCED
_POINTS = " unit:unit" + _TIMELINE
_PARAMETER = " parameterID:int" + _REFERENCED
_REAL = "max min unit:unit! value" + _PARAMETER
_SWITCH = "value:boolean" + _PARAMETER

_ATTRIBUTES = {
    "Project": "version!",
    "Application": "name! version!",
    "Track": "contentType:contentTypes loaded:boolean" + _REFERENCED,
    "Channel": "audioChannels:int destination:IDREF role:mixerRole solo:boolean" + _REFERENCED,
    "Equalizer": "deviceID deviceName! deviceRole:deviceRole! deviceVendor loaded:boolean"
    + _REFERENCED,
    "Band": "type:eqBandType! order:int",
    **dict.fromkeys(("Tempo", "Pan", "Volume", "Freq", "Gain", "Q"), _REAL),
    **dict.fromkeys(("Mute", "Enabled"), _SWITCH),
    "TimeSignature": "denominator:int! numerator:int!" + _PARAMETER,
    "Arrangement": _REFERENCED,
    **dict.fromkeys(("Lanes", "Clips", "Markers"), _TIMELINE),
    **dict.fromkeys(("Points", "TempoAutomation", "TimeSignatureAutomation"), _POINTS),
    "Clip": "time:double! duration:double contentTimeUnit:timeUnit playStart:double "
    "playStop:double loopStart:double loopEnd:double fadeTimeUnit:timeUnit fadeInTime:double "
    "fadeOutTime:double enable:boolean reference:IDREF" + _NAMED,
    "Warps": "contentTimeUnit:timeUnit!" + _TIMELINE,
    "Warp": "time:double! contentTime:double!",
    "Audio": "algorithm channels:int! sampleRate:int! duration:double!" + _TIMELINE,
    "File": "path! external:boolean",
    "Marker": "time:double!" + _NAMED,
    "Target": "parameter:IDREF expression channel:int key:int controller:int",
    "RealPoint": "time! value! interpolation:interpolation",
    "TimeSignaturePoint": "time! numerator:int! denominator:int!",
}
"""Attributes of elements with their types, strings without one; `!` marks those required."""

_CHILDREN = {
    "Project": "Application Transport? Structure? Arrangement? Scenes?",
    "Transport": "Tempo? TimeSignature?",
    "Structure": "Track*",
    "Track": "Channel? Track*",
    "Channel": "Devices? Mute? Pan? Sends? Volume?",
    "Devices": "Equalizer*",
    "Equalizer": "Parameters? Enabled? State? Band* InputGain? OutputGain?",
    "Band": "Freq Gain? Q? Enabled?",
    "Arrangement": "Lanes? Markers? TempoAutomation? TimeSignatureAutomation?",
    "Lanes": "(Lanes|Clips|Points)*",
    "Clips": "Clip*",
    "Clip": "(Warps|Audio)?",
    "Warps": "Audio Warp+",
    "Audio": "File",
    "Markers": "Marker+",
    "Points": "Target RealPoint*",
    "TempoAutomation": "Target RealPoint*",
    "TimeSignatureAutomation": "Target TimeSignaturePoint*",
    "MetaData": "Title? Artist? Album? OriginalArtist? Composer? Songwriter? Producer? Arranger? "
    "Year? Genre? Copyright? Website? Comment?",
}
"""Children of elements in their order, and how many; others have none."""

_CONTENT = "audio|automation|notes|video|markers|tracks"
_TYPES = {
    "ID": r"[A-Za-z_][\w.-]*",
    "IDREF": r"[A-Za-z_][\w.-]*",
    "boolean": "true|false|1|0",
    "int": r"[+-]?\d+",
    "double": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?INF|NaN",
    "string": r"(?s:.*)",
    "unit": "linear|normalized|percent|decibel|hertz|semitones|seconds|beats|bpm",
    "timeUnit": "beats|seconds",
    "deviceRole": "instrument|noteFX|audioFX|analyzer",
    "eqBandType": "highPass|lowPass|bandPass|highShelf|lowShelf|bell|notch",
    "mixerRole": "regular|master|effect|submix|vca",
    "contentTypes": rf"(({_CONTENT})( ({_CONTENT}))*)?",
    "interpolation": "hold|linear",
}
"""Patterns of the types of values."""


def check_document(top: ET.Element) -> None:
    """Check elements, attributes, types, and that identifiers are unique and references lead there.

    Raises:
        AssertionError: naming the element that the schema forbids.
    """
    identities = [one.attrib["id"] for one in top.iter() if "id" in one.attrib]
    assert len(set(identities)) == len(identities)
    for element in top.iter():
        children = "".join(f"{child.tag} " for child in element)
        order = re.sub(r"\w+", lambda name: f"({name[0]} )", _CHILDREN.get(element.tag, ""))
        assert re.fullmatch(order.replace(" (", "("), children), f"{element.tag}: {children}"
        _check_attributes(element, set(identities))


def _check_attributes(element: ET.Element, identities: set[str]) -> None:
    known = {}
    for one in _ATTRIBUTES.get(element.tag, "").split():
        name, _, kind = one.rstrip("!").partition(":")
        known[name] = kind or "string"
        assert not one.endswith("!") or name in element.attrib, f"{element.tag}: no {name}"
    for name, value in element.attrib.items():
        assert name in known, f"{element.tag}: {name} is unknown"
        assert re.fullmatch(_TYPES[known[name]], value), f"{element.tag}: {name}={value}"
        assert known[name] != "IDREF" or value in identities, f"{element.tag}: {name} leads nowhere"
