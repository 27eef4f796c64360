/** Uploads with their progress, which `fetch` does not report. */

import { ApiError, offlineError, refusal } from "./api.js";
import { online } from "./state.js";

/** @typedef {{url: string, key: string, filename: string, size: number, duration_s: number}} UploadDocument */

/**
 * Upload an audio file.
 * @param {File} file
 * @param {object} options
 * @param {(share: number) => void} options.onProgress Gets the share that was sent, 0 to 1.
 * @param {AbortSignal} options.signal Cancels the upload.
 * @returns {Promise<UploadDocument>}
 * @throws {import("./api.js").ApiError | DOMException} The upload failed, or was canceled.
 */
export function uploadFile(file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", "/api/upload");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      online.value = true;
      const { status, responseText } = request;
      if (status >= 200 && status < 300) resolve(JSON.parse(responseText));
      else reject(refusal(status, responseText, (name) => request.getResponseHeader(name)));
    };
    request.onerror = async () => {
      if (!(await isReadable(file))) return reject(new ApiError({ code: "unreadable_file" }));
      online.value = false;
      reject(offlineError());
    };
    request.onabort = () => reject(new DOMException("canceled", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/**
 * Return whether a file can be read; a folder cannot, nor a file that was moved or changed.
 * @param {File} file
 */
function isReadable(file) {
  const first = file.slice(0, 1).arrayBuffer();
  return first.then(
    () => true,
    () => false,
  );
}
