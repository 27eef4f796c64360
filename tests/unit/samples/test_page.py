from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile as sf
from PIL import Image

from mashup_worker.analysis.result import Analysis
from mashup_worker.errors import StorageFailed, UnsupportedAudio
from samples.report import images, media
from samples.report.content import Report, ReportTrack, SongSection
from samples.report.page import render_report, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

RATE_HZ = 44_100
MINUS = "\N{MINUS SIGN}"


class Page(HTMLParser):
    """Every element of a page, in order, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def sounds(self) -> list[tuple[NDArray[np.float64], int]]:
        """Decoded `(samples, channels)` and rate of every embedded track."""
        return [sf.read(io.BytesIO(_data(a["src"])), always_2d=True) for a in self.all("audio")]


def _data(uri: str) -> bytes:
    return base64.b64decode(uri.partition(";base64,")[2], validate=True)


def _tone(hz: float, samples: int, channels: int = 2, sample_rate: int = RATE_HZ) -> Samples:
    wave = 0.4 * np.sin(2 * np.pi * hz * np.arange(samples) / sample_rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def _track(folder: Path, kind: str, samples: Samples, sample_rate: int = RATE_HZ) -> ReportTrack:
    path = folder / f"{kind}.wav"
    sf.write(path, samples, sample_rate, subtype="FLOAT")
    return ReportTrack(kind, path, len(samples) / sample_rate, -20.5, 6.25, 8.5)


def _song(
    folder: Path, samples: Samples, sample_rate: int = RATE_HZ, name: str = "Song"
) -> SongSection:
    mix, vocals, drums = (
        _track(folder, k, samples, sample_rate) for k in ("mix", "vocals", "drums")
    )
    return SongSection(
        name, "lite", "cpu", "fp32", mix.duration_s, 0.5, mix, (vocals, drums), "preview model"
    )


def test_the_page_refers_to_no_other_file(tmp_path: Path) -> None:
    song = _song(tmp_path, _tone(300, RATE_HZ))
    html = render_report(Report("Report", (song, song), "today", ("A note.",)))
    references = [
        value
        for _, attributes in Page(html).elements
        for name, value in attributes.items()
        if name in {"src", "srcset", "href", "data", "poster", "action"}
    ]
    assert len(references) > 12
    assert all(value.startswith(("data:", "#")) for value in references)
    assert not re.search(
        r"@import|url\(|(?<![\w/+])//[a-z]|https?:", re.sub(r"base64,[^\"]+", "", html)
    )
    assert "default-src 'none'" in html


def test_the_policy_allows_the_script(tmp_path: Path) -> None:
    html = render_report(Report("Report", (_song(tmp_path, _tone(300, 4410)),)))
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


@pytest.mark.parametrize(
    ("sample_rate", "channels", "samples"),
    [
        (44_100, 2, 66_150),
        (44_100, 1, 66_150),
        (44_100, 2, 441),
        (8_000, 1, 12_000),
        (192_000, 2, 192_000),
        (48_000, 6, 48_000),
        (44_100, 1, 1),
    ],
)
def test_embedded_sound_is_the_track(
    tmp_path: Path, sample_rate: int, channels: int, samples: int
) -> None:
    sound = _tone(440, samples, channels, sample_rate)
    page = Page(render_report(Report("Report", (_song(tmp_path, sound, sample_rate),))))
    decoded = page.sounds()
    assert len(decoded) == 3
    for got, decoded_hz in decoded:
        assert got.shape[1] == (channels if channels <= 2 else 1)
        assert len(got) / decoded_hz == pytest.approx(samples / sample_rate, abs=1 / 8000)
        if samples > sample_rate / 2:
            expected = 0.4 * np.sin(2 * np.pi * 440 * np.arange(len(got)) / decoded_hz)
            middle = slice(len(got) // 4, -len(got) // 4)
            assert np.std(got[middle, 0] - expected[middle]) < 0.1 * np.std(expected[middle])


def test_tracks_keep_their_order_names_and_figures(tmp_path: Path) -> None:
    page = Page(render_report(Report("Report", (_song(tmp_path, _tone(300, 4410)),))))
    kinds = [a["data-kind"] for a in page.all("div") if "data-kind" in a]
    assert kinds == ["mix", "vocals", "drums"]
    text = " ".join(page.texts)
    for expected in ("preview model", f"{MINUS}20.5", "6.2", "+8.5"):
        assert expected in text


def _analyzed(folder: Path, analysis: Analysis | None) -> Page:
    song = replace(_song(folder, _tone(300, 2 * RATE_HZ)), analysis=analysis)
    return Page(render_report(Report("Report", (song,))))


def _ticks(path: dict[str, str], columns: float) -> list[float]:
    """Shares of the song at which a path has ticks."""
    return [float(x) / columns for x in re.findall(r"M([\d.]+) 0v", path["d"])]


def test_beats_are_drawn_on_the_mix_at_their_times(tmp_path: Path) -> None:
    page = _analyzed(
        tmp_path, Analysis(2.0, 120.0, beats_s=(0.0, 0.5, 1.0, 1.5), downbeats_s=(0.0, 1.0))
    )
    paths = page.all("path")
    view = next(a["viewbox"] for a in page.all("svg") if a.get("class") == "wave")
    columns = float(view.split()[2])
    mix = [one.get("class") for one in paths].index("bar-lines")
    bar_lines, beats, downbeats = paths[mix : mix + 3]
    assert _ticks(beats, columns) == pytest.approx([0.25, 0.75], abs=1e-4)
    for path in (bar_lines, downbeats):
        assert _ticks(path, columns) == pytest.approx([0.0, 0.5], abs=1e-4)
    assert len([a for a in page.all("g") if a.get("class") == "beats"]) == 1


def test_the_analysis_is_shown(tmp_path: Path) -> None:
    text = " ".join(
        _analyzed(
            tmp_path,
            Analysis(
                2.0,
                123.996,
                0.97,
                tempo_stable=False,
                beats_s=(0.0, 0.5),
                downbeats_s=(0.0,),
                beats_per_bar=4,
                key="A minor",
                camelot="8A",
                key_confidence=0.61,
                loudness_lufs=-13.14,
                loudness_range_lu=4.44,
                true_peak_dbtp=-1.02,
            ),
        ).texts
    )
    for fact in ("124.00 BPM", "varies", "97", "1, 4 beats each", "A minor", "8A", "61", "4.4"):
        assert fact in text
    assert f"{MINUS}13.1" in text
    assert f"{MINUS}1.0" in text


def test_unknown_values_are_dashes_and_without_an_analysis_the_line_is_missing(
    tmp_path: Path,
) -> None:
    unknown = _analyzed(tmp_path, Analysis(2.0))
    facts = [text.strip() for text in unknown.texts]
    assert facts[facts.index("Tempo") :].count("\N{EN DASH}") >= 6
    assert "None" not in " ".join(facts)
    assert not [a for a in unknown.all("g") if a.get("class") == "beats"]
    assert "Tempo" not in _analyzed(tmp_path, None).texts


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"
    mix = _track(tmp_path, "mix", _tone(300, 4410))
    stem = ReportTrack(evil, mix.path, mix.duration_s)
    song = SongSection(evil, evil, evil, evil, 0.1, 0.1, mix, (stem,), evil)
    page = Page(render_report(Report(evil, (song,), evil, (evil,))))
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 2
    assert not any(n.startswith("on") for _, attributes in page.elements for n in attributes)
    assert page.texts.count(evil) >= 5
    assert evil in [a.get("data-kind") for a in page.all("div")]


@pytest.mark.parametrize("samples", [RATE_HZ, 441, 0])
def test_silence_is_drawn(tmp_path: Path, samples: int) -> None:
    track = _track(tmp_path, "mix", np.zeros((samples, 2), np.float32))
    quiet = ReportTrack("vocals", track.path, track.duration_s, float("-inf"), float("nan"))
    song = SongSection("Silence", "lite", "cpu", "fp32", 0.0, 0.0, track, (quiet,))
    page = Page(render_report(Report("Report", (song,))))
    assert all(np.abs(got).max() < 1e-3 for got, _ in page.sounds())
    assert f"{MINUS}∞" in " ".join(page.texts)
    assert not re.search(r"\bnan\b|\binf\b", " ".join(page.texts[3:-3]), re.IGNORECASE)
    assert all(re.search(r"[1-9]", a["d"]) for a in page.all("path"))


def test_values_that_are_not_finite_are_silenced(tmp_path: Path) -> None:
    sound = _tone(440, RATE_HZ)
    sound[20_000] = np.nan
    sound[30_000] = np.inf
    track = media.read_track(_track(tmp_path, "mix", sound).path, 1.0)
    assert all(np.isfinite(a).all() for a in (track.low, track.high, track.rms, track.mel_power))
    assert track.high.max() == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("samples", [300_007, 999, 1])
def test_blocks_draw_the_same_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: int
) -> None:
    rng = np.random.default_rng(3)
    sound = rng.uniform(-0.5, 0.5, (samples, 1)).astype(np.float32)
    path = _track(tmp_path, "mix", sound).path
    whole = media.MediaCollector(RATE_HZ, samples / RATE_HZ)
    whole.add(sound[:, 0])
    monkeypatch.setattr(media, "BLOCK_SAMPLES", 20_000)
    track = media.read_track(path, samples / RATE_HZ)
    np.testing.assert_allclose(track.mel_power, whole.mel_power, rtol=1e-4, atol=1e-6)
    step = whole.column_samples
    columns = [sound[i : i + step, 0] for i in range(0, samples, step)]
    assert len(columns) == len(track.low) <= media.COLUMNS
    full = columns[:-1]  # the last one may end in padding
    np.testing.assert_array_equal(track.low[: len(full)], [c.min() for c in full])
    np.testing.assert_array_equal(track.high[: len(full)], [c.max() for c in full])
    expected = [np.sqrt(np.mean(c.astype(np.float64) ** 2)) for c in full]
    np.testing.assert_allclose(track.rms[: len(full)], expected, rtol=1e-5)


def test_spectrogram_shows_a_tone_where_and_when_it_sounds(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros((RATE_HZ, 2), np.float32), _tone(1000, RATE_HZ)])
    power = media.read_track(_track(tmp_path, "mix", sound).path, 4.0).mel_power
    by_time = power.sum(axis=0)
    columns = len(by_time)
    loud = np.flatnonzero(by_time > by_time.max() / 4) / columns * 4.0
    assert loud.min() == pytest.approx(1.0, abs=0.05)
    assert loud.max() == pytest.approx(2.0, abs=0.05)
    lowest, highest = 2595 * np.log10(1 + np.array([30, 16_000]) / 700)
    mel = np.linspace(lowest, highest, media.MELS + 2)
    centres_hz = 700 * (10 ** (mel[1:-1] / 2595) - 1)
    assert centres_hz[power.sum(axis=1).argmax()] == pytest.approx(1000, rel=0.05)


def test_ten_times_less_power_is_ten_decibels_darker() -> None:
    power = np.array([[1.0, 0.1, 1e-12, 0.0]], np.float32)
    levels = images.spectrogram_levels(power, 1.0)[0] * images.RANGE_DB / (images.SHADES - 1)
    np.testing.assert_allclose(levels, [images.RANGE_DB, images.RANGE_DB - 10, 0, 0], atol=0.7)


@pytest.mark.parametrize("dark", [False, True])
def test_shades_rise_away_from_the_background(dark: bool) -> None:
    for hue_deg in range(0, 360, 20):
        luma = images.ramp(hue_deg, 0.15, dark=dark) @ [0.2126, 0.7152, 0.0722]
        steps = np.diff(luma) if dark else -np.diff(luma)
        assert steps.min() > -0.5
        assert abs(luma[-1] - luma[0]) > 150


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for name, content in [("missing.wav", None), ("text.flac", b"not sound")]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UnsupportedAudio, match=name):
            media.read_track(path, 1.0)


def test_a_failed_report_leaves_the_old_one(tmp_path: Path) -> None:
    song = _song(tmp_path, _tone(300, 4410))
    target = tmp_path / "out" / "report.html"
    with pytest.raises(StorageFailed, match=r"report\.html"):
        write_report(Report("Report", (song,)), song.mix.path / "report.html")
    write_report(Report("Report", (song,)), target)
    before = target.read_bytes()
    song.stems[0].path.unlink()
    with pytest.raises(UnsupportedAudio):
        write_report(Report("Other", (song,)), target)
    assert target.read_bytes() == before
    assert [p.name for p in target.parent.iterdir()] == ["report.html"]


def test_a_report_without_songs_has_its_title() -> None:
    assert "Nothing done" in Page(render_report(Report("Nothing done", ()))).texts


def test_a_png_has_the_pixels_of_its_palette() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(4, 16)
    palette = images.ramp(262.0, 0.15, dark=True)
    image = Image.open(io.BytesIO(images.png(pixels, palette))).convert("RGBA")
    expected = np.dstack([palette[pixels], np.where(pixels == 0, 0, 255)])
    np.testing.assert_array_equal(np.asarray(image), expected)
