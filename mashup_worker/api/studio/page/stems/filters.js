/** Filters of the stems, which are the query of the address. */

/**
 * @typedef {object} Filters Texts as in the query; empty ones do not filter.
 * @property {string} text
 * @property {string} kind
 * @property {string} camelot
 * @property {string} neighbors `true` for the neighbors of the key too.
 * @property {string} tempo_min
 * @property {string} tempo_max
 * @property {string} owner `mine`, `public`, or empty for both.
 * @property {string} compatible_with Id of a stem, or of the job of a song.
 */

/** @type {Filters} */
export const NO_FILTERS = {
  text: "",
  kind: "",
  camelot: "",
  neighbors: "",
  tempo_min: "",
  tempo_max: "",
  owner: "",
  compatible_with: "",
};

/**
 * Return the filters in a query; unknown parameters are dropped.
 * @param {string} query
 * @returns {Filters}
 */
export function filtersIn(query) {
  const values = new URLSearchParams(query);
  const known = Object.keys(NO_FILTERS).map((name) => [name, values.get(name) ?? ""]);
  return Object.fromEntries(known);
}

/**
 * Return the query of filters, with its question mark; empty without filters.
 * @param {Filters} filters
 */
export function queryOf(filters) {
  const set = Object.entries(filters).filter(([, value]) => value);
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

/**
 * Return the parameters of the API for filters.
 * @param {Filters} filters
 */
export function parametersOf({ owner, text, neighbors, camelot, ...rest }) {
  return {
    ...rest,
    camelot,
    text: text.trim(),
    neighbors: camelot && neighbors ? "true" : "",
    mine: owner === "mine" ? "true" : "",
    public: owner === "public" ? "true" : "",
  };
}

/**
 * Return whether the range of tempi is empty.
 * @param {Filters} filters
 */
export const isRangeEmpty = ({ tempo_min, tempo_max }) =>
  tempo_min !== "" && tempo_max !== "" && Number(tempo_min) > Number(tempo_max);

/**
 * Return the number of filters that are set.
 * @param {Filters} filters
 */
export const countFilters = (filters) => Object.values(filters).filter(Boolean).length;
