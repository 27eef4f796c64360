/** Calls of the HTTP API, and its problem documents in plain words. */

import { endUser, notices, notify, online, session, sessionEnded, startSession } from "./state.js";
import { texts } from "./texts.js";

/**
 * @typedef {object} Quota Limit of a tier that is reached.
 * @property {string} tier
 * @property {string} job_type
 * @property {number} limit Jobs in a period.
 * @property {string} period `day` or `month`.
 * @property {string} until First day of the next period.
 * @property {string | null} [next_tier] Tier that includes more.
 *
 * @typedef {object} Problem Problem document of the API.
 * @property {number} [status]
 * @property {string} [code]
 * @property {string} [detail]
 * @property {boolean} [retryable]
 * @property {{field: string, message: string}[]} [errors]
 * @property {Quota} [quota]
 */

/** Call that failed; `code` is `offline` if no answer arrived. */
export class ApiError extends Error {
  /**
   * @param {Problem} problem
   * @param {number | null} [retryAfterS] Seconds to wait before the call is repeated.
   */
  constructor(problem, retryAfterS = null) {
    super(problem.detail ?? problem.code ?? "failed");
    this.status = problem.status ?? 0;
    this.code = problem.code ?? "failed";
    this.detail = problem.detail ?? "";
    this.retryable = problem.retryable ?? false;
    this.errors = problem.errors ?? [];
    this.quota = problem.quota ?? null;
    this.retryAfterS = retryAfterS;
  }

  /** Error in plain words: the problem, and what to do. */
  get words() {
    return texts.errors.words(this);
  }
}

/** Call without an answer. */
export const offlineError = () => new ApiError({ code: "offline", retryable: true });

/**
 * Return an error in plain words, whatever was thrown.
 * @param {unknown} error
 * @returns {{what: string, todo: string}}
 */
export function wordsOf(error) {
  if (error instanceof ApiError) return error.words;
  return texts.errors.words({ code: "failed", detail: "" });
}

/**
 * Return the words for a job that failed.
 * @param {{error_code: string | null, error_message: string | null}} job
 */
export function wordsOfJob(job) {
  return texts.errors.words({ code: job.error_code ?? "failed", detail: job.error_message ?? "" });
}

/**
 * Show an error as a notice; the login shows that of an ended session.
 * @param {unknown} error
 */
export function notifyError(error) {
  if (error instanceof ApiError && error.status === 401) return;
  const { what, todo } = wordsOf(error);
  notify(`${what} ${todo}`);
}

/**
 * @typedef {object} CallOptions
 * @property {unknown} [body] Value to send as JSON.
 * @property {Record<string, string | number | boolean | null | undefined>} [query]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Call the API with the session's cookie.
 * @param {string} method
 * @param {string} path Such as `/api/songs`.
 * @param {CallOptions} [options]
 * @returns {Promise<any>} The document of the answer, or null for an empty one.
 * @throws {ApiError} The call failed. One without a session also shows the login.
 */
export async function call(method, path, options = {}) {
  const { body, query, signal } = options;
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...options.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path + queryString(query), {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    online.value = false;
    throw offlineError();
  }
  online.value = true;
  const text = await bodyOf(response);
  if (response.ok) return text ? JSON.parse(text) : null;
  throw refusal(response.status, text, (name) => response.headers.get(name));
}

/** @param {string} path @param {CallOptions} [options] */
export const get = (path, options) => call("GET", path, options);

/** @param {string} path @param {unknown} [body] @param {CallOptions} [options] */
export const post = (path, body, options) => call("POST", path, { ...options, body });

/** @param {string} path @param {unknown} body @param {CallOptions} [options] */
export const put = (path, body, options) => call("PUT", path, { ...options, body });

/** @param {string} path @param {CallOptions} [options] */
export const del = (path, options) => call("DELETE", path, options);

/** @param {Response} response */
async function bodyOf(response) {
  try {
    return await response.text();
  } catch {
    online.value = false;
    throw offlineError();
  }
}

/** @param {CallOptions["query"]} query */
function queryString(query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  return search.size ? `?${search}` : "";
}

/**
 * Return the error of an answer. One without a session ends the session of the page.
 * @param {number} status
 * @param {string} text Body of the answer.
 * @param {(name: string) => string | null} header
 */
export function refusal(status, text, header) {
  /** @type {Problem} */
  let problem = {};
  try {
    problem = JSON.parse(text) ?? {};
  } catch {
    // A proxy answered in place of the API.
  }
  const code = problem.code ?? (status >= 500 ? "service_unavailable" : "failed");
  const seconds = Number(header("Retry-After"));
  if (status === 401) endSession();
  return new ApiError({ ...problem, status, code }, seconds > 0 ? seconds : null);
}

/** Show the login in place of the view; the address stays, so the view comes back after it. */
export function endSession() {
  if (!session.value) return; // there was none
  sessionEnded.value = true;
  session.value = null;
  notices.value = [];
}

/** Ask the server for the session of the browser's cookie. */
export async function loadSession() {
  try {
    startSession(await get("/api/session"));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    session.value = null;
  }
}

/**
 * Trade a one-time code, or an access token, for a session.
 * @param {{code?: string, accessToken?: string}} credentials
 */
export async function logIn({ code, accessToken }) {
  const headers = accessToken ? { Authorization: `Bearer ${accessToken}` } : undefined;
  startSession(await call("POST", "/api/session", { body: code ? { code } : undefined, headers }));
}

/** End the session, here and on the server. */
export async function logOut() {
  await del("/api/session");
  endUser();
}
