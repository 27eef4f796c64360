/**
 * Requests that outlast a lost connection and an expired session.
 *
 * @module
 */

/** Answer with an HTTP status that is no success, or with fewer bytes than asked for. */
export class HttpError extends Error {
  /**
   * @param {string} url
   * @param {number} status
   */
  constructor(url, status) {
    super(`${url}: HTTP ${status}`);
    this.name = "HttpError";
    this.status = status;
  }
}

const TRIES = 4; // of answers that name a temporary fault; a lost connection is retried for ever
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const SILENCE_MS = 15_000; // without a byte: the connection is lost, though it is still open

/** Fetches bytes and JSON; repeats what failed for a reason that passes. */
export class Fetcher {
  /** @type {Set<object>} */
  #failing = new Set();
  /** @type {Set<() => void>} */
  #waiting = new Set();
  #wake = () => this.retry();

  /**
   * @param {typeof globalThis.fetch} fetch
   * @param {{changed: () => void, unauthorized: () => void}} report
   */
  constructor(fetch, report) {
    this.fetch = fetch;
    this.report = report;
    this.unauthorized = false;
    globalThis.addEventListener?.("online", this.#wake);
  }

  /** Whether a request waits for the connection. */
  get retrying() {
    return this.#failing.size > 0;
  }

  /** Repeat all failed requests now: the connection or the session is back. */
  retry() {
    this.unauthorized = false;
    for (const resume of this.#waiting) resume();
  }

  /** Stop listening; callers abort their own requests. */
  close() {
    globalThis.removeEventListener?.("online", this.#wake);
  }

  /**
   * Return the bytes from `start` to `end` (exclusive) of a file; of the whole one without `start`.
   *
   * @param {string} url
   * @param {AbortSignal} signal
   * @param {number} [start]
   * @param {number} [end]
   * @returns {Promise<ArrayBuffer>}
   */
  bytes(url, signal, start, end = 0) {
    if (start === undefined) return this.#repeat(url, {}, signal, (_, body) => body);
    return this.#repeat(url, { Range: `bytes=${start}-${end - 1}` }, signal, (response, body) => {
      const range = response.status === 206 ? body : body.slice(start, end);
      if (range.byteLength !== end - start) throw new HttpError(url, response.status);
      return range;
    });
  }

  /**
   * Return a JSON document.
   *
   * @param {string} url
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  json(url, signal) {
    const read = (/** @type {Response} */ _, /** @type {ArrayBuffer} */ body) =>
      JSON.parse(new TextDecoder().decode(body));
    return this.#repeat(url, { Accept: "application/json" }, signal, read);
  }

  /**
   * @template T
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   * @param {(response: Response, body: ArrayBuffer) => T} read
   * @returns {Promise<T>}
   */
  async #repeat(url, headers, signal, read) {
    const request = {};
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#once(url, headers, signal, read);
        } catch (error) {
          signal.throwIfAborted();
          const status = error instanceof HttpError ? error.status : 0;
          if (error instanceof SyntaxError) throw error;
          if (status === 401) {
            this.#refused();
            await this.#pause(Infinity, signal);
          } else if (status && (!passing(status) || attempt === TRIES)) {
            throw error;
          } else {
            this.#failing.add(request);
            this.report.changed();
            await this.#pause(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
          }
        }
      }
    } finally {
      if (this.#failing.delete(request)) this.report.changed();
    }
  }

  /**
   * @template T
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   * @param {(response: Response, body: ArrayBuffer) => T} read
   */
  async #once(url, headers, signal, read) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };
    try {
      const fetch = this.fetch;
      const response = await fetch(url, {
        headers,
        credentials: "same-origin",
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!response.ok) throw new HttpError(url, response.status);
      return read(response, await whole(response, heard));
    } finally {
      clearTimeout(timer);
    }
  }

  #refused() {
    if (this.unauthorized) return;
    this.unauthorized = true;
    this.report.unauthorized();
  }

  /**
   * @param {number} milliseconds
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  #pause(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      const wait = Math.min(milliseconds, LONGEST_PAUSE_MS);
      const timer = milliseconds === Infinity ? undefined : setTimeout(() => end(resolve), wait);
      const resume = () => end(resolve);
      const abort = () => end(() => reject(signal.reason));
      const end = (/** @type {() => void} */ settle) => {
        clearTimeout(timer);
        this.#waiting.delete(resume);
        signal.removeEventListener("abort", abort);
        settle();
      };
      this.#waiting.add(resume);
      signal.addEventListener("abort", abort);
    });
  }
}

/** @param {number} status */
const passing = (status) => status === 408 || status === 429 || status >= 500;

/**
 * Read a body chunk by chunk.
 *
 * @param {Response} response
 * @param {() => void} heard called with each chunk
 */
async function whole(response, heard) {
  const chunks = [];
  let length = 0;
  if (response.body) {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      heard();
      chunks.push(value);
      length += value.length;
    }
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes.buffer;
}
