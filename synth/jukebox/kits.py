"""Drums: kits of struck, shaken and programmed pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth.jukebox.tones import Wave, band, level, noise, swell, times


@dataclass(frozen=True)
class Kit:
    """Properties of a drum kit.

    Attributes:
        kick_hz: pitch that the kick settles on.
        kick_s: its decay.
        skin: share of the kick that is a drum head's thud, without a pitch of its own.
        click: how much beater is heard.
        snare_hz: pitch of the snare's shell.
        snare_s: decay of its wires.
        wires: share of the wires against the shell.
        hat_s: decay of the closed hi-hat.
        hat_hz: where the hi-hat's noise begins.
        dull_hz: nothing above this is heard.
    """

    kick_hz: float
    kick_s: float
    skin: float
    click: float
    snare_hz: float
    snare_s: float
    wires: float
    hat_s: float
    hat_hz: float
    dull_hz: float


KITS = {
    "rock": Kit(58, 0.13, 0.6, 0.5, 190, 0.13, 0.8, 0.035, 6500, 17_000),
    "live": Kit(62, 0.15, 0.6, 0.3, 175, 0.17, 0.7, 0.045, 6000, 15_000),
    "dry": Kit(66, 0.1, 0.6, 0.4, 210, 0.08, 0.65, 0.025, 7000, 13_000),
    "metal": Kit(60, 0.08, 0.6, 1.0, 200, 0.12, 0.8, 0.04, 7000, 18_000),
    "jazz": Kit(82, 0.11, 0.8, 0.15, 215, 0.12, 0.5, 0.05, 5500, 16_000),
    "brush": Kit(78, 0.1, 0.8, 0.1, 200, 0.12, 0.6, 0.05, 5500, 14_000),
    "disco": Kit(64, 0.11, 0.6, 0.45, 200, 0.1, 0.75, 0.03, 7500, 17_000),
    "808": Kit(48, 0.32, 0.0, 0.15, 178, 0.11, 0.6, 0.03, 7500, 18_000),
    "909": Kit(52, 0.2, 0.1, 0.6, 185, 0.14, 0.7, 0.04, 7000, 18_000),
    "linn": Kit(60, 0.12, 0.3, 0.5, 195, 0.15, 0.7, 0.03, 6500, 12_000),
    "hands": Kit(60, 0.15, 0.6, 0.2, 200, 0.12, 0.6, 0.04, 6500, 16_000),
}
# A shaken or brushed sound is heard later than it begins.
_LEADS_S = {"shaker": 0.005, "brush": 0.002, "guiro": 0.009, "clap": 0.006}
_SKINS = {
    "tomhi": (165.0, 0.2, 0.25),
    "tommid": (122, 0.24, 0.25),
    "tomlo": (85, 0.3, 0.25),
    "congahi": (230, 0.11, 0.5),
    "congalo": (165, 0.16, 0.35),
    "cajonlo": (75, 0.12, 0.4),
    "surdo": (62, 0.28, 0.1),
}
_RATTLES = {
    "tamb": (7000.0, 0.07),
    "cajonhi": (1200.0, 0.07),
    "brush": (1800.0, 0.09),
    "clap": (1000.0, 0.11),
    "pedal": (5500.0, 0.03),
}
_BLOCKS = {
    "rim": (1750.0, 0.02),
    "clave": (2450, 0.035),
    "sticks": (1900, 0.018),
    "cowbell": (560, 0.09),
    "agogo": (940, 0.12),
}


def tuned(kit: Kit, tonic: int, rng: np.random.Generator) -> Kit:
    """`kit` as one drummer tunes it; a kick that rings is mostly tuned to the song."""
    pitch, decay = rng.uniform(0.9, 1.12, size=2), rng.uniform(0.8, 1.25, size=3)
    kick_hz = kit.kick_hz * pitch[0]
    if kit.skin < 0.2 and rng.random() < 0.7:
        # 43.65 Hz is an F, pitch class 5; tonic or fifth, whichever lies in the kick's range.
        options = [43.65 * 2 ** ((tonic + step - 5) % 12 / 12) for step in (0, 7)]
        kick_hz = min(options, key=lambda hz: abs(hz - kick_hz))
    return replace(
        kit,
        kick_hz=kick_hz,
        kick_s=kit.kick_s * decay[0],
        snare_hz=kit.snare_hz * pitch[1],
        snare_s=kit.snare_s * decay[1],
        hat_s=kit.hat_s * decay[2],
    )


def lead_s(piece: str) -> float:
    """How much early a piece must begin."""
    return _LEADS_S.get(piece, 0.0)


def strike(piece: str, kit: Kit, hard: bool, rng: np.random.Generator) -> Wave:
    """The sound of `piece` at full level, of a soft stroke or a hard one."""
    if piece == "kick":
        wave = _kick(kit, rng)
    elif piece == "snare":
        wave = _snare(kit, hard, rng)
    elif piece in ("hat", "ohat", "ride", "crash"):
        wave = _cymbal(piece, kit, rng)
    elif piece in _SKINS:
        wave = _skin(piece, rng)
    elif piece in _RATTLES:
        wave = _rattle(piece, rng)
    elif piece in _BLOCKS:
        wave = _block(piece, rng)
    else:
        wave = _shaken(piece, rng)
    if not hard:
        wave = band(wave, None, 7000, 1)
    return level(band(wave, None, kit.dull_hz, 1), 0.8)


def _kick(kit: Kit, rng: np.random.Generator) -> Wave:
    t = times(kit.kick_s * 4)
    # A struck head starts sharp and keeps sinking, the more so the less it is tuned.
    fall = 1.8 * kit.kick_hz * 0.02 * (1 - np.exp(-t / np.float32(0.02)))
    sag = 0.35 * kit.skin * kit.kick_hz * kit.kick_s * (1 - np.exp(-t / np.float32(kit.kick_s)))
    turns = 2 * np.pi * (kit.kick_hz * t + fall + sag)
    body = np.sin(turns) + 0.4 * kit.skin * np.sin(1.59 * turns) * np.exp(-t * 25)
    thud = band(noise(rng, len(t)), 45, 170, 1) * np.float32(kit.skin)
    struck = (body + thud) * swell(t, 0.001, kit.kick_s)
    click = band(noise(rng, len(t)), 1800, 6000) * np.exp(-t * 350) * np.float32(0.45 * kit.click)
    return np.asarray(np.tanh(1.6 * struck) + click, dtype=np.float32)


def _snare(kit: Kit, hard: bool, rng: np.random.Generator) -> Wave:
    t = times(kit.snare_s * 4)
    drop = kit.snare_hz * 0.004 * (1 - np.exp(-t * 120))
    shell = np.sin(2 * np.pi * (kit.snare_hz * t + drop)) * np.exp(-t * 22)
    shell += 0.5 * np.sin(2 * np.pi * kit.snare_hz * 1.78 * t) * np.exp(-t * 35)
    wires = band(noise(rng, len(t)), 1200 if hard else 800, 9500)
    wires *= np.exp(-t / np.float32(kit.snare_s if hard else kit.snare_s * 0.6))
    snap = band(noise(rng, len(t)), 2500, 9000) * np.exp(-t * 260)
    mixed = (1 - kit.wires) * 1.2 * shell + kit.wires * wires + 0.4 * snap
    return np.asarray(mixed * swell(t, 0.0008), dtype=np.float32)


def _cymbal(piece: str, kit: Kit, rng: np.random.Generator) -> Wave:
    decay_s = {"hat": kit.hat_s, "ohat": 0.11, "ride": 0.5, "crash": 0.9}[piece]
    t = times(min(2.6, decay_s * 4))
    metal = np.zeros_like(t)
    for _ in range(14):
        at = np.float32(rng.uniform(2800, 11_500))
        metal += np.sin(2 * np.pi * at * t + rng.uniform(0, 6.28)) * np.float32(rng.uniform(0.3, 1))
    low = {"hat": kit.hat_hz, "ohat": kit.hat_hz, "ride": 3500.0, "crash": 2500.0}[piece]
    hiss = band(noise(rng, len(t)), low, None)
    wave = (0.12 * metal + hiss) * swell(t, 0.0006, decay_s)
    if piece == "ride":
        wave = 0.45 * wave + 0.9 * (hiss + 0.3 * metal) * np.exp(-t * 60)
    return np.asarray(wave, dtype=np.float32)


def _skin(piece: str, rng: np.random.Generator) -> Wave:
    hz, decay_s, slap = _SKINS[piece]
    hz *= float(rng.uniform(0.97, 1.03))
    t = times(decay_s * 5)
    turns = 2 * np.pi * (hz * t + hz * 0.01 * (1 - np.exp(-t * 40)))
    body = np.sin(turns) * np.exp(-t / np.float32(decay_s))
    body += 0.35 * np.sin(1.6 * turns) * np.exp(-t / np.float32(decay_s * 0.5))
    touch = band(noise(rng, len(t)), 500, 4500) * np.exp(-t * 130) * slap
    return np.asarray((body + touch) * swell(t, 0.001), dtype=np.float32)


def _rattle(piece: str, rng: np.random.Generator) -> Wave:
    low_hz, decay_s = _RATTLES[piece]
    t = times(decay_s * 5)
    hiss = band(noise(rng, len(t)), low_hz, min(16_000.0, low_hz * 5))
    shape = np.exp(-t / np.float32(decay_s))
    if piece == "clap":
        # Several hands, a few milliseconds apart, the last of which rings.
        early = sum(np.where(t >= at, np.exp(-(t - at) * 250), 0) for at in (0.0, 0.007, 0.014))
        shape = 0.7 * np.asarray(early) + np.where(t >= 0.018, np.exp(-(t - 0.018) / decay_s), 0)
    return np.asarray(hiss * shape * swell(t, 0.001), dtype=np.float32)


def _block(piece: str, rng: np.random.Generator) -> Wave:
    hz, decay_s = _BLOCKS[piece]
    t = times(decay_s * 6)
    wave = np.sin(2 * np.pi * hz * t) + 0.6 * np.sin(2 * np.pi * hz * 1.503 * t)
    wave = wave * np.exp(-t / np.float32(decay_s))
    wave += 0.2 * band(noise(rng, len(t)), 2000, 8000) * np.exp(-t * 400)
    return np.asarray(wave, dtype=np.float32)


def _shaken(piece: str, rng: np.random.Generator) -> Wave:
    t = times(0.16)
    hiss = band(noise(rng, len(t)), 3000 if piece == "guiro" else 5500, 14_000)
    shape = np.exp(-(((t - 0.018) / np.float32(0.016)) ** 2)) + 0.15 * np.exp(-t * 30)
    if piece == "guiro":
        shape = shape * (0.6 + 0.4 * np.sin(2 * np.pi * 110 * t))
    return np.asarray(hiss * shape, dtype=np.float32)
