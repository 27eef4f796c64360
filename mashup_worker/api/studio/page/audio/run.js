/**
 * One continuous stretch of playing: pieces of all tracks on one sample clock.
 *
 * @module
 */

/** @typedef {import("./track.js").Track} Track */

/**
 * Loop in samples; `end` is exclusive.
 *
 * @typedef {{start: number, end: number}} Loop
 */

/**
 * Samples that are scheduled; `frame` counts from the start of the run.
 *
 * @typedef {object} Piece
 * @property {AudioBuffer} buffer
 * @property {number} frame
 * @property {number} length
 * @property {AudioBufferSourceNode | null} node
 */

/**
 * How far a track is scheduled.
 *
 * @typedef {object} Cursor
 * @property {Track} track
 * @property {number} frame frame after the last piece
 * @property {number} position position of that frame in the file
 * @property {number} count number of pieces so far
 * @property {boolean} done nothing follows
 * @property {Promise<void> | null} feeding
 * @property {Set<Piece>} pieces
 */

const PIECES_S = [1, 4, 8]; // short ones first, so that sound starts soon; the last repeats
const AHEAD_S = 16;
const FIRST_AHEAD_S = 4; // grows by twice the time played, so that seeking about loads little
const STALL_S = 0.25; // stop this long before a gap: the timer that looks for gaps may be late
const LATE_S = 0.01;

/** Run of all tracks from a position on, with or without a loop. */
export class Run {
  /** Frame of the context at which the run starts; null before. @type {number | null} */
  startFrame = null;
  #abort = new AbortController();
  #version = 0;
  /** @type {number | null} */
  #finish = null;
  #origin = 0; // frame whose position is `#from`

  /**
   * @param {object} options
   * @param {Track[]} options.tracks
   * @param {BaseAudioContext} options.context
   * @param {(id: string) => AudioNode} options.input node of a track
   * @param {number} options.position
   * @param {Loop | null} options.loop
   * @param {number} options.end samples of the longest track
   * @param {(track: Track, error: unknown) => void} options.failed
   */
  constructor({ tracks, context, input, position, loop, end, failed }) {
    this.context = context;
    this.rate = context.sampleRate;
    this.input = input;
    this.from = position;
    this.loop = loop;
    this.end = end;
    this.failed = failed;
    /** @type {Cursor[]} */
    this.cursors = tracks.map((track) => ({
      track,
      ...{ frame: 0, position, count: 0, done: false, feeding: null, pieces: new Set() },
    }));
    /** Resolves when the first piece of every track is here. */
    this.ready = Promise.all(this.cursors.map((cursor) => this.#feed(cursor)));
  }

  /** Frames since the start, which lies in the future for a moment. */
  get now() {
    if (this.startFrame === null) return 0;
    return Math.round(this.context.currentTime * this.rate) - this.startFrame;
  }

  /**
   * Return the position of a frame.
   *
   * @param {number} frame frames since the start of the run
   */
  position(frame) {
    const elapsed = Math.max(frame - this.#origin, 0);
    const { from, loop } = this;
    if (!loop || from >= loop.end) return Math.min(from + elapsed, this.end);
    const first = loop.end - from;
    if (elapsed < first) return from + elapsed;
    return loop.start + ((elapsed - first) % (loop.end - loop.start));
  }

  /** Frame up to which every track is scheduled; `Infinity` if all is. */
  get edge() {
    return Math.min(...this.cursors.map(({ done, frame }) => (done ? Infinity : frame)));
  }

  /** Whether a gap is near, because a piece isn't here in time. */
  get stalled() {
    return this.edge - this.now < STALL_S * this.rate;
  }

  /** Whether all was played up to the end of all tracks, or to where `finish` cut it. */
  get ended() {
    if (this.#finish !== null) return this.now >= this.#finish;
    const looping = this.loop && this.from < this.loop.end;
    return !looping && this.now - this.#origin >= this.end - this.from;
  }

  /** Buffers that are scheduled. */
  get buffers() {
    return this.cursors.flatMap(({ pieces }) => [...pieces].map(({ buffer }) => buffer));
  }

  /**
   * Start all tracks at a frame of the context.
   *
   * @param {number} frame
   */
  start(frame) {
    this.startFrame = frame;
    for (const { track, pieces } of this.cursors) {
      for (const piece of pieces) this.#connect(track, pieces, piece);
    }
    this.feed();
  }

  /** Load and schedule what is due; resolves when it is. */
  async feed() {
    await Promise.all(this.cursors.map((cursor) => this.#feed(cursor)));
  }

  /**
   * Change the loop where the new course leaves the old one; what is scheduled before stays.
   *
   * @param {Loop | null} loop
   */
  setLoop(loop) {
    const now = Math.max(this.now, 0);
    const position = this.position(now);
    const jump = (/** @type {Loop | null} */ one) =>
      now + (one && position < one.end ? one.end - position : this.end - position);
    const turn = Math.min(jump(this.loop), jump(loop));
    this.#origin = now;
    this.from = position;
    this.loop = loop;
    this.#truncate(turn);
    this.feed();
  }

  /** Load no more, and stop at the edge, to which all tracks are scheduled. */
  finish() {
    this.#abort.abort();
    this.#finish = this.edge;
    this.#truncate(this.#finish);
    for (const cursor of this.cursors) cursor.done = true;
  }

  /**
   * Load no more, and stop at a time of the context.
   *
   * @param {number} time
   */
  stop(time) {
    this.#abort.abort();
    this.#version++;
    for (const { pieces } of this.cursors) {
      for (const piece of pieces) piece.node?.stop(time);
      pieces.clear();
    }
  }

  /**
   * @param {Cursor} cursor
   */
  #feed(cursor) {
    cursor.feeding ??= this.#fill(cursor).finally(() => {
      cursor.feeding = null;
    });
    return cursor.feeding;
  }

  /** @param {Cursor} cursor */
  async #fill(cursor) {
    const { track } = cursor;
    const { signal } = this.#abort;
    try {
      while (!signal.aborted && !cursor.done && this.#due(cursor)) {
        const version = this.#version;
        const to = this.#pieceEnd(cursor);
        const silent = cursor.position >= track.samples;
        const buffer = silent ? null : await track.piece(cursor.position, to, signal);
        if (version !== this.#version) continue;
        if (buffer && this.startFrame !== null && cursor.frame - this.now < LATE_S * this.rate) return;
        this.#append(cursor, buffer, to);
      }
    } catch (error) {
      if (signal.aborted) return;
      cursor.done = true;
      this.failed(track, error);
    }
  }

  /** @param {Cursor} cursor */
  #due({ frame, count }) {
    if (this.startFrame === null) return count === 0;
    const ahead = Math.min(AHEAD_S * this.rate, FIRST_AHEAD_S * this.rate + 2 * this.now);
    return frame - this.now < ahead;
  }

  /** @param {Cursor} cursor */
  #pieceEnd({ track, position, count }) {
    const { loop } = this;
    const limit = loop && position < loop.end ? loop.end : this.end;
    if (position >= track.samples) return limit;
    const length = PIECES_S[Math.min(count, PIECES_S.length - 1)] * this.rate;
    return Math.min(limit, track.samples, track.end(position, position + length));
  }

  /**
   * @param {Cursor} cursor
   * @param {AudioBuffer | null} buffer null for silence
   * @param {number} to position of the end
   */
  #append(cursor, buffer, to) {
    const { track, pieces, frame } = cursor;
    const length = to - cursor.position;
    if (buffer) {
      const piece = { buffer, frame, length, node: null };
      pieces.add(piece);
      if (this.startFrame !== null) this.#connect(track, pieces, piece);
    }
    const wraps = this.loop !== null && to === this.loop.end;
    cursor.position = wraps && this.loop ? this.loop.start : to;
    cursor.frame += length;
    cursor.count++;
    cursor.done = cursor.position >= this.end;
  }

  /**
   * @param {Track} track
   * @param {Set<Piece>} pieces
   * @param {Piece} piece
   */
  #connect(track, pieces, piece) {
    const node = new AudioBufferSourceNode(this.context, { buffer: piece.buffer });
    node.connect(this.input(track.id));
    node.onended = () => {
      node.disconnect();
      pieces.delete(piece);
    };
    node.start(this.#time(piece.frame));
    piece.node = node;
  }

  /**
   * Drop what is scheduled from a frame on, and go on from there.
   *
   * @param {number} frame
   */
  #truncate(frame) {
    this.#version++;
    for (const cursor of this.cursors) {
      for (const piece of cursor.pieces) {
        if (piece.frame + piece.length > frame) piece.node?.stop(this.#time(Math.max(frame, piece.frame)));
        if (piece.frame >= frame) cursor.pieces.delete(piece);
      }
      if (cursor.frame < frame || cursor.track.failure) continue;
      cursor.frame = frame;
      cursor.position = this.position(frame);
      cursor.done = cursor.position >= this.end;
    }
  }

  /** @param {number} frame */
  #time(frame) {
    return ((this.startFrame ?? 0) + frame) / this.rate;
  }
}
