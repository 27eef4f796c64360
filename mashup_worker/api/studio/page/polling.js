/** Repeated loading while the page is visible. */

import { useEffect, useRef, useState } from "preact/hooks";

/**
 * Load now and again after each pause; a hidden page loads nothing until it is shown.
 * @param {(signal: AbortSignal) => Promise<void>} load
 * @param {number} pauseMs Time from the end of a load to the start of the next.
 * @param {unknown[]} inputs Values whose change starts again at once.
 * @returns {{error: unknown, refresh: () => void}} Error of the last load; null if it succeeded.
 */
export function usePolling(load, pauseMs, inputs) {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const current = useRef(load);
  const restart = useRef(() => {});
  current.current = load;

  useEffect(() => {
    let timer = 0;
    /** @type {AbortController | null} */
    let running = null;
    const run = async () => {
      clearTimeout(timer);
      running?.abort();
      if (document.visibilityState === "hidden") return;
      const mine = (running = new AbortController());
      try {
        await current.current(mine.signal);
        if (!mine.signal.aborted) setError(null);
      } catch (failure) {
        if (!mine.signal.aborted) setError(failure);
      }
      if (!mine.signal.aborted) timer = window.setTimeout(run, pauseMs);
    };
    restart.current = () => void run();
    document.addEventListener("visibilitychange", run);
    void run();
    return () => {
      clearTimeout(timer);
      running?.abort();
      document.removeEventListener("visibilitychange", run);
    };
  }, inputs);
  return { error, refresh: () => restart.current() };
}
