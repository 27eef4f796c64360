"""A small DAW: reads a project from its archive and plays clips, gains, fades and filters.

It shares no code with the writer: positions are taken to seconds by the tempi of the project, the
audio is read by libsndfile, and the documents are checked by the published schemas.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import soundfile
import torch

from mashup_worker.dsp.filters import bell, filtered, high_pass, low_pass, low_shelf
from tests.unit.exports.dawproject_schema import check_document

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Values = NDArray[np.float64]


@dataclass(frozen=True)
class PlayedClip:
    """Clip of a project: samples of the arrangement, of a file, and its name there."""

    start: int
    stop: int
    offset: int
    path: str


class Daw:
    """Project that is opened from its archive."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        assert self.archive.testzip() is None
        self.top = ET.fromstring(self.archive.read("project.xml"))
        self.metadata = ET.fromstring(self.archive.read("metadata.xml"))
        for document in (self.top, self.metadata):
            check_document(document)
        self.sounds = {
            name: soundfile.read(io.BytesIO(self.archive.read(name)), always_2d=True)
            for name in self.archive.namelist()
            if name.endswith(".wav")
        }
        lanes = self.top.find("Arrangement/Lanes")
        assert lanes is not None
        self.lanes = lanes
        self.in_seconds = lanes.get("timeUnit") == "seconds"
        points = self.top.findall("Arrangement/TempoAutomation/RealPoint")
        tempo = self.top.find("Transport/Tempo")
        assert tempo is not None
        self.tempi = [(float(one.attrib["time"]), float(one.attrib["value"])) for one in points]
        self.tempi = self.tempi or [(0.0, float(tempo.attrib["value"]))]

    @property
    def markers(self) -> list[tuple[float, str]]:
        """Times in seconds and names of the markers."""
        found = self.top.findall("Arrangement/Markers/Marker")
        return [(self.seconds(float(one.attrib["time"])), one.attrib["name"]) for one in found]

    def seconds(self, position: float) -> float:
        """Return the time of a position in quarter notes."""
        if self.in_seconds:
            return position
        now = 0.0
        for (at, bpm), (after, _) in pairwise([*self.tempi, (np.inf, 0.0)]):
            if position <= after:
                return now + (position - at) * 60 / bpm
            now += (after - at) * 60 / bpm
        raise AssertionError

    def clips(self, lane: ET.Element, rate: int) -> list[PlayedClip]:
        """Return the clips of a track by samples."""
        return [self._clip(one, rate) for one in lane.findall("Clips/Clip")]

    def _clip(self, clip: ET.Element, rate: int) -> PlayedClip:
        start, duration = float(clip.attrib["time"]), float(clip.attrib["duration"])
        play_start = float(clip.attrib["playStart"])
        file = clip.find(".//File")
        assert file is not None
        warps = [
            (float(w.attrib["time"]), float(w.attrib["contentTime"])) for w in clip.iter("Warp")
        ]
        inside = play_start
        if warps:
            places, times_s = zip(*warps, strict=True)
            inside = float(np.interp(play_start, places, times_s))
            if play_start < 0:
                inside = play_start * times_s[1] / places[1]
        return PlayedClip(
            start=round(self.seconds(start) * rate),
            stop=round(self.seconds(start + duration) * rate),
            offset=round(inside * rate),
            path=file.attrib["path"],
        )

    def curve(self, lane: ET.Element, parameter: ET.Element, length: int, rate: int) -> Values:
        """Return an automated parameter at each sample, or its value."""
        for points in lane.findall("Points"):
            target = points.find("Target")
            assert target is not None
            if target.get("parameter") == parameter.get("id"):
                return self._curve(points.findall("RealPoint"), length, rate)
        return np.full(length, float(parameter.attrib["value"]))

    def _curve(self, points: list[ET.Element], length: int, rate: int) -> Values:
        at = [rate * self.seconds(float(one.attrib["time"])) for one in points]
        values = [float(one.attrib["value"]) for one in points]
        found = np.interp(np.arange(length), at, values)
        for index, one in enumerate(points):
            if one.attrib["interpolation"] == "hold":
                stop = at[index + 1] if index + 1 < len(at) else length
                held = slice(int(np.ceil(at[index] - 1e-3)), int(np.ceil(stop - 1e-3)))
                found[held] = values[index]
        return found

    def play(self, length: int, rate: int) -> Tensor:
        """Return the sum of all tracks, `(2, length)`."""
        total = torch.zeros(2, length, dtype=torch.float64)
        tracks = {one.attrib["id"]: one for one in self.top.iter("Track")}
        for lane in self.lanes.findall("Lanes"):
            track = tracks[lane.attrib["track"]]
            out = np.zeros((length, 2))
            last = 0
            for clip in sorted(self.clips(lane, rate), key=lambda one: one.start):
                assert clip.start >= last, "clips of one track overlap"
                last = clip.stop
                samples, own_rate = self.sounds[clip.path]
                assert own_rate == rate
                first = max(0, -clip.offset)
                piece = samples[clip.offset + first : clip.offset + clip.stop - clip.start]
                out[clip.start + first : clip.start + first + len(piece)] += piece
            sound = torch.from_numpy(out.T.copy()).float()
            sound = self._equalized(sound, lane, track, rate)
            volume = track.find("Channel/Volume")
            assert volume is not None
            assert 0 <= float(volume.attrib["value"]) <= float(volume.attrib["max"])
            gain = self.curve(lane, volume, length, rate)
            assert gain.max() <= float(volume.attrib["max"]) + 1e-9
            total += sound.double() * torch.from_numpy(gain)
        return total

    def _equalized(self, sound: Tensor, lane: ET.Element, track: ET.Element, rate: int) -> Tensor:
        for band in track.iter("Band"):
            frequency, gain = band.find("Freq"), band.find("Gain")
            assert frequency is not None
            moved = frequency if gain is None else gain
            values = torch.from_numpy(self.curve(lane, moved, sound.shape[1], rate))
            base_hz = float(frequency.attrib["value"])
            q = band.find("Q")
            width = 1.0 if q is None else float(q.attrib["value"])

            def response(
                at: Tensor,
                hz: Tensor,
                *,
                kind: str = band.attrib["type"],
                values: Tensor = values,
                base_hz: float = base_hz,
                width: float = width,
            ) -> Tensor:
                value = values[at.clamp(0, len(values) - 1)][:, None]
                if kind == "lowShelf":
                    return low_shelf(hz.double(), base_hz, value)
                if kind == "highPass":
                    return high_pass(hz.double(), value)
                if kind == "lowPass":
                    opened = (value.log2() - np.log2(10_000.0)).clamp(0, 1)
                    gains = low_pass(hz.double(), value)
                    return torch.lerp(gains, torch.ones_like(gains), opened)
                band_hz = base_hz / width
                low_hz = (-band_hz + np.sqrt(band_hz**2 + 4 * base_hz**2)) / 2
                return bell(hz.double(), float(low_hz), float(low_hz + band_hz), value)

            sound = filtered(sound, rate, [response])
        return sound
