/**
 * Types of mashup jobs, for JSDoc only.
 *
 * @typedef {object} StoredAudio
 * @property {string} format
 * @property {number} bytes
 * @property {number} duration_s
 * @property {number | null} loudness_lufs
 *
 * @typedef {object} Measurement
 * @property {string} name That of a stem begins with `song/kind: `.
 * @property {number | string | null} value
 * @property {string} unit
 * @property {string} wanted Limit; empty without one.
 * @property {boolean | null} passed Null where it is not judged.
 * @property {string} detail
 *
 * @typedef {object} Report
 * @property {boolean} passed
 * @property {Measurement[]} measurements
 * @property {number | null} target_lufs
 * @property {number[]} loudness_times_s
 * @property {number[]} short_term_lufs
 * @property {string[]} notes
 *
 * @typedef {object} PlanSource
 * @property {string} song
 * @property {string} kind
 * @property {number} tempo_bpm
 *
 * @typedef {object} PlanClip
 * @property {string} source
 * @property {number} at_bar
 * @property {number} bars
 * @property {number} from_bar
 * @property {number} source_bars
 * @property {number | null} stretch_ratio Factor by which the duration changes.
 * @property {number} semitones
 * @property {number} gain_db
 * @property {number} fade_in_bars
 * @property {number} fade_out_bars
 * @property {{parameter: string, points: [number, number][]}[]} automation
 *
 * @typedef {object} Plan
 * @property {"layer" | "sequence" | "medley"} form
 * @property {string} vibe
 * @property {number} intensity
 * @property {string} transition
 * @property {number} seed
 * @property {string | null} key
 * @property {{tempo_bpm: number, beats_per_bar: number, bars: number, tempo_changes?: [number, number][]}} grid
 * @property {Record<string, PlanSource>} sources
 * @property {PlanClip[]} clips
 * @property {{name: string, at_bar: number, bars: number, why?: string}[]} sections
 * @property {{loudness_lufs: number, true_peak_dbtp: number}} master
 * @property {string[]} notes
 *
 * @typedef {object} MashupOutput
 * @property {StoredAudio} audio
 * @property {StoredAudio | null} [unmastered]
 * @property {{stem_id: string | null, kind: string, song: string}[]} stems_used
 * @property {Plan} plan
 * @property {Report} report
 * @property {string[]} warnings
 *
 * @typedef {object} MashupInput
 * @property {{stem_id?: string, kind: string, song?: string}[]} [stems]
 * @property {Record<string, any>} [config]
 * @property {string} [format]
 * @property {string[]} [export]
 *
 * @typedef {object} MashupJob
 * @property {string} id
 * @property {import("../types.js").Status} status
 * @property {string | null} stage
 * @property {number} progress
 * @property {string | null} error_code
 * @property {string | null} error_message
 * @property {string} created_at
 * @property {string | null} [cancel_requested_at]
 * @property {string | null} [retry_of]
 * @property {MashupInput} input_data
 * @property {MashupOutput | null} output_data
 */

export {};
