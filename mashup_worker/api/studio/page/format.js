/** Numbers and names as texts; the space before a unit does not break. */

const UNKNOWN = "–";

/**
 * Return a duration such as `3:35` or `1:02:07`.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * Return a position with tenths of a second, such as `0:07.3`.
 * @param {number} seconds
 */
export function position(seconds) {
  const tenths = Math.max(0, Math.floor(seconds * 10 + 1e-6));
  return `${duration(tenths / 10)}.${tenths % 10}`;
}

/**
 * Return a length of time in two units at most, such as `850 ms`, `42 s`, `3 min 5 s` or `2 d 4 h`.
 * @param {number | null | undefined} seconds
 */
export function shortTime(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  const units = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = units.findIndex(([count]) => count);
  const shown = units.slice(first, first + 2).filter(([count]) => count);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/**
 * Return a tempo such as `124 BPM`.
 * @param {number | null | undefined} bpm
 */
export const tempo = (bpm) => (bpm ? `${Number(bpm.toFixed(1))}\u00a0BPM` : UNKNOWN);

/** @param {string | null | undefined} key */
export const keyName = (key) => (key ? key.replace("#", "♯").replace(/([A-G])b/, "$1♭") : UNKNOWN);

/** @param {number | null | undefined} lufs */
export const loudness = (lufs) => (isNumber(lufs) ? `${signed(lufs, 1)}\u00a0LUFS` : UNKNOWN);

/** @param {number | null | undefined} db */
export const decibels = (db) => (isNumber(db) ? `${signed(db, 1)}\u00a0dB` : UNKNOWN);

/** @param {number} share From 0 to 1. */
export const percent = (share) => `${Math.round(share * 100)}\u00a0%`;

/** @param {number} bytes */
export function fileSize(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** @param {string} iso */
export const dateTime = (iso) =>
  new Date(iso).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

/** @param {string} iso Day such as `2026-05-05`, in UTC. */
export const day = (iso) =>
  new Date(iso).toLocaleDateString("en", { day: "numeric", month: "long", timeZone: "UTC" });

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** @param {number} value @param {number} digits */
const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
