/** Zoom and scroll position that ruler and lanes share. */

import { computed, signal } from "@preact/signals";

const MAX_PX_PER_S = 400;
const ZOOM_STEP = 1.5;

export class Timeline {
  /** Duration of the song in seconds. */
  durationS = signal(1);
  /** Visible width in CSS pixels. */
  width = signal(0);
  /** 1 shows the whole song. */
  zoom = signal(1);
  /** Pixels that are scrolled out at the left. */
  left = signal(0);

  pxPerS = computed(() => (this.width.value * this.zoom.value) / this.durationS.value);
  contentWidth = computed(() => this.width.value * this.zoom.value);
  maxZoom = computed(() => Math.max(1, (MAX_PX_PER_S * this.durationS.value) / (this.width.value || 1)));

  /** @param {number} seconds */
  xOf(seconds) {
    return seconds * this.pxPerS.value - this.left.value;
  }

  /** @param {number} x */
  timeAt(x) {
    const seconds = (x + this.left.value) / (this.pxPerS.value || 1);
    return Math.max(0, Math.min(this.durationS.value, seconds));
  }

  /** @param {number} left */
  scrollTo(left) {
    const most = Math.max(0, this.contentWidth.value - this.width.value);
    this.left.value = Math.max(0, Math.min(most, Math.round(left)));
  }

  /** @param {number} width 0 while the element is not laid out. */
  resize(width) {
    if (!width || width === this.width.value) return;
    const startS = this.timeAt(0);
    this.width.value = width;
    this.scrollTo(startS * this.pxPerS.value);
  }

  /**
   * Change the zoom, and keep a time where it is.
   * @param {number} zoom
   * @param {number} anchorS
   */
  zoomTo(zoom, anchorS) {
    const x = Math.max(0, Math.min(this.width.value, this.xOf(anchorS)));
    this.zoom.value = Math.max(1, Math.min(this.maxZoom.value, zoom));
    this.scrollTo(anchorS * this.pxPerS.value - x);
  }

  /**
   * Zoom one step in or out.
   * @param {-1 | 1} direction
   * @param {number} anchorS
   */
  zoomBy(direction, anchorS) {
    this.zoomTo(this.zoom.value * ZOOM_STEP ** direction, anchorS);
  }

  /**
   * Scroll so that a time is visible; a page further for one that leaves at the right.
   * @param {number} seconds
   */
  show(seconds) {
    const x = this.xOf(seconds);
    const width = this.width.value;
    if (x > width || x < 0) this.scrollTo(this.left.value + x - width * (x < 0 ? 0.1 : 0.05));
  }
}
