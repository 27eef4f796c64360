/**
 * Types of the API's documents and of the page's own objects, for JSDoc only.
 *
 * @typedef {{user_id: string | null, scopes: string[], expires_at: string | null}} Session
 *
 * @typedef {"queued" | "processing" | "completed" | "failed" | "canceled"} Status
 *
 * @typedef {object} Stem
 * @property {string} id
 * @property {string | null} user_id
 * @property {string | null} mashup_id
 * @property {string | null} job_id
 * @property {string | null} title
 * @property {string} kind
 * @property {number | null} tempo_bpm
 * @property {string | null} key
 * @property {string | null} camelot
 * @property {number | null} duration_s
 * @property {number | null} loudness_lufs
 * @property {boolean} is_public
 * @property {string} created_at
 * @property {Compatibility | null} [compatibility] In answers to `compatible_with`.
 *
 * @typedef {object} Compatibility
 * @property {number} score From 0 to 1.
 * @property {{score: number, speed_change: number | null, factor: number | null}} tempo
 * @property {{score: number, camelot_distance: number | null}} key
 *
 * @typedef {{tempo_factor: number, downbeat_shift: number, key: string | null}} Correction
 *
 * @typedef {object} Section
 * @property {number} start_s
 * @property {number} stop_s
 * @property {string} label Letter; sections that repeat each other share one.
 * @property {string | null} [role] Such as `verse`.
 *
 * @typedef {object} Analysis
 * @property {number} duration_s
 * @property {number | null} tempo_bpm
 * @property {number[]} beats_s
 * @property {number[]} downbeats_s
 * @property {number | null} beats_per_bar
 * @property {string | null} time_signature
 * @property {Section[]} [sections]
 * @property {{start_s: number, stop_s: number, label: string}[]} [chords] Such as `A:min`; `N` for none.
 * @property {{start_s: number, stop_s: number}[]} [singing]
 * @property {{time_s: number, kind: string}[]} [cue_points]
 * @property {{key: string, camelot: string, score: number}[]} [key_candidates]
 *
 * @typedef {object} License License of a model.
 * @property {string} id
 * @property {"permissive" | "restricted" | "unknown"} license_class
 * @property {string} statement
 * @property {string} source Address of the statement; may be empty.
 *
 * @typedef {object} Song
 * @property {string} id Id of the separation job.
 * @property {string} title
 * @property {string | null} file_name
 * @property {Status} status
 * @property {number} progress Percent.
 * @property {string | null} stage
 * @property {string | null} error_code
 * @property {string | null} error_message
 * @property {string} created_at
 * @property {number | null} duration_s
 * @property {number | null} tempo_bpm
 * @property {boolean | null} tempo_stable
 * @property {string | null} key
 * @property {string | null} camelot
 * @property {string | null} model
 * @property {License | null} license
 * @property {Correction | null} correction
 * @property {Stem[]} stems
 * @property {Analysis | null} [analysis]
 *
 * @typedef {object} JobState State of a job, as in its events.
 * @property {Status} status
 * @property {string | null} stage
 * @property {number} progress Percent.
 * @property {string | null} error_code
 * @property {string | null} error_message
 *
 * @typedef {object} Chosen Song or stem that is chosen for the next mashup.
 * @property {"song" | "stem"} type
 * @property {string} id Id of the song's job, or of the stem.
 * @property {string} song Id of the song, by which stems of one song are grouped.
 * @property {string} title Of the song.
 * @property {string} kind Kind of the stem; `mix` for a song.
 * @property {number | null} tempo_bpm
 * @property {string | null} key
 * @property {string | null} camelot
 * @property {number | null} duration_s
 * @property {{id: string, kind: string}[]} stems Stems of the registry that it stands for.
 */

export {};
