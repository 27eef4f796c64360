"""Documents of a project: `project.xml` and `metadata.xml`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from mashup_worker import __version__
from mashup_worker.system.names import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.exports.dawproject.project import Band, Clip, Curve, Project, Track

MAX_VOLUME = 2.0
"""Highest linear gain of a track's volume."""

_TEMPO_RANGE = {"min": "20.0", "max": "666.0"}
_FREQUENCY_RANGE = {"min": "20.0", "max": "20000.0"}
_GAIN_RANGE = {"min": "-120.0", "max": "24.0"}
_METADATA = (
    ("Title", "title"),
    ("Artist", "artist"),
    ("Album", "album"),
    ("Year", "year"),
    ("Genre", "genre"),
    ("Comment", "comment"),
)
"""Elements in the order of the schema, and the tags that they hold."""


def project_xml(project: Project) -> bytes:
    """Return the document of an arrangement."""
    return _Writer(project).document()


def metadata_xml(tags: SongTags) -> bytes:
    """Return the document of tags."""
    top = ET.Element("MetaData")
    for element, name in _METADATA:
        if (value := getattr(tags, name)) is not None:
            ET.SubElement(top, element).text = str(value)
    return _text(top)


def _text(top: ET.Element) -> bytes:
    ET.indent(top)
    text: bytes = ET.tostring(top, "UTF-8", xml_declaration=True)
    return text + b"\n"


class _Writer:
    """Builder of one document; identifiers count up in the order of the elements."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._numbers = count()
        self._unit = "seconds" if project.in_seconds else "beats"
        self._automated: list[tuple[Track | None, ET.Element, Curve, str]] = []

    def document(self) -> bytes:
        project = self._project
        top = ET.Element("Project", version="1.0")
        ET.SubElement(top, "Application", name="mashup-worker", version=__version__)
        transport = ET.SubElement(top, "Transport")
        tempo = self._real(transport, "Tempo", project.tempi[0][1], "bpm", _TEMPO_RANGE)
        _, numerator, denominator = project.meters[0]
        meter = self._element(
            transport, "TimeSignature", numerator=numerator, denominator=denominator
        )
        structure = ET.SubElement(top, "Structure")
        master = self._id()
        tracks = [(track, self._track(structure, track, master)) for track in project.tracks]
        self._channel_track(structure, "Master", "master", project.master_bands, None, master)
        self._arrangement(top, tracks, tempo, meter)
        ET.SubElement(top, "Scenes")
        return _text(top)

    # Structure: tracks, their channels and filters.

    def _track(self, structure: ET.Element, track: Track, master: str) -> str:
        element, channel = self._channel_track(
            structure, track.name, "regular", track.bands, track, None
        )
        element.set("color", track.color)
        channel.set("destination", master)
        return element.attrib["id"]

    def _channel_track(
        self,
        structure: ET.Element,
        name: str,
        role: str,
        bands: Sequence[Band],
        track: Track | None,
        identity: str | None,
    ) -> tuple[ET.Element, ET.Element]:
        element = self._element(structure, "Track", contentType="audio", loaded="true", name=name)
        channel = self._element(element, "Channel", audioChannels=2, role=role, solo="false")
        if identity is not None:
            channel.set("id", identity)
        if bands:
            self._equalizer(ET.SubElement(channel, "Devices"), bands, track)
        self._element(channel, "Mute", name="Mute", value="false")
        self._real(channel, "Pan", 0.5, "normalized", {"min": "0.0", "max": "1.0"})
        limits = {"min": "0.0", "max": str(MAX_VOLUME)}
        volume = self._real(channel, "Volume", 1.0, "linear", limits)
        if track is not None and track.volume:
            volume.set("value", _number(track.volume[0].value))
            self._automated.append((track, volume, track.volume, "linear"))
        return element, channel

    def _equalizer(self, devices: ET.Element, bands: Sequence[Band], track: Track | None) -> None:
        device = self._element(
            devices, "Equalizer", deviceName="Equalizer", deviceRole="audioFX", loaded="true"
        )
        self._element(device, "Enabled", value="true", name="On/Off")
        for order, band in enumerate(bands):
            element = ET.SubElement(device, "Band", type=band.type, order=str(order))
            start = band.curve[0].value if band.curve else None
            frequency_hz = band.frequency_hz if band.moves_gain or start is None else start
            moved = self._real(element, "Freq", frequency_hz, "hertz", _FREQUENCY_RANGE)
            if band.moves_gain:
                moved = self._real(element, "Gain", start or 0.0, "decibel", _GAIN_RANGE)
            if band.q is not None:
                self._real(element, "Q", band.q, "linear", {})
            self._element(element, "Enabled", value="true")
            if band.curve:
                unit = "decibel" if band.moves_gain else "hertz"
                self._automated.append((track, moved, band.curve, unit))

    # Arrangement: clips, curves, markers, tempi, meters.

    def _arrangement(
        self,
        top: ET.Element,
        tracks: Sequence[tuple[Track, str]],
        tempo: ET.Element,
        meter: ET.Element,
    ) -> None:
        project = self._project
        arrangement = self._element(top, "Arrangement")
        lanes = self._element(arrangement, "Lanes", timeUnit=self._unit)
        for track, identity in tracks:
            lane = self._element(lanes, "Lanes", track=identity)
            clips = self._element(lane, "Clips")
            for clip in track.clips:
                self._clip(clips, clip)
            for owner, parameter, curve, unit in self._automated:
                if owner is track:
                    self._points(lane, "Points", parameter, curve, unit)
        if project.markers:
            markers = self._element(arrangement, "Markers", timeUnit=self._unit)
            for at, name in project.markers:
                ET.SubElement(markers, "Marker", time=_number(at), name=name)
        if len(project.tempi) > 1:
            points = self._automation(arrangement, "TempoAutomation", tempo, "bpm")
            for at, bpm in project.tempi:
                _real_point(points, at, bpm, "hold")
        if len(project.meters) > 1:
            points = self._automation(arrangement, "TimeSignatureAutomation", meter, None)
            for at, numerator, denominator in project.meters:
                ET.SubElement(
                    points,
                    "TimeSignaturePoint",
                    time=_number(at),
                    numerator=str(numerator),
                    denominator=str(denominator),
                )

    def _clip(self, clips: ET.Element, clip: Clip) -> None:
        warped = clip.file.warps
        element = ET.SubElement(
            clips,
            "Clip",
            time=_number(clip.start),
            duration=_number(clip.duration),
            contentTimeUnit="beats" if warped else "seconds",
            playStart=_number(clip.play_start),
            name=printable(clip.name),
            comment=printable(clip.comment),
        )
        holder = element
        if warped:
            holder = self._element(element, "Warps", contentTimeUnit="seconds", timeUnit="beats")
        audio = clip.file.audio
        content = self._element(
            holder,
            "Audio",
            algorithm="stretch",
            channels=audio.channels,
            duration=_number(audio.duration_s),
            sampleRate=audio.sample_rate,
        )
        ET.SubElement(content, "File", path=clip.file.path)
        for at, time_s in warped:
            ET.SubElement(holder, "Warp", time=_number(at), contentTime=_number(time_s))

    def _points(
        self, parent: ET.Element, name: str, parameter: ET.Element, curve: Curve, unit: str
    ) -> None:
        points = self._automation(parent, name, parameter, unit)
        for point in curve:
            _real_point(points, point.at, point.value, point.interpolation)

    def _automation(
        self, parent: ET.Element, name: str, parameter: ET.Element, unit: str | None
    ) -> ET.Element:
        points = self._element(parent, name, timeUnit=self._unit)
        if unit is not None:
            points.set("unit", unit)
        ET.SubElement(points, "Target", parameter=parameter.attrib["id"])
        return points

    def _real(
        self, parent: ET.Element, name: str, value: float, unit: str, limits: dict[str, str]
    ) -> ET.Element:
        return self._element(parent, name, value=_number(value), unit=unit, name=name, **limits)

    def _element(self, parent: ET.Element, tag: str, /, **values: Any) -> ET.Element:
        texts = {name: printable(str(value)) for name, value in values.items()}
        return ET.SubElement(parent, tag, texts, id=self._id())

    def _id(self) -> str:
        return f"id{next(self._numbers)}"


def _real_point(points: ET.Element, at: float, value: float, interpolation: str) -> None:
    ET.SubElement(
        points, "RealPoint", time=_number(at), value=_number(value), interpolation=interpolation
    )


def _number(value: float) -> str:
    return repr(float(value))
