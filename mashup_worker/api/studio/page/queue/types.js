/**
 * Types of the fleet's documents, for JSDoc only.
 *
 * @typedef {{queued: number, running: number, oldest_queued_s: number | null}} OpenFigures
 * @typedef {OpenFigures & {tier: string}} TierFigures
 * @typedef {{name: string, job_types: string[], paused_at: string | null, tiers: TierFigures[]}} QueueState
 * @typedef {OpenFigures & QueueState} QueueFigures
 *
 * @typedef {object} CurrentJob
 * @property {string} id
 * @property {string} job_type
 * @property {number} attempt
 * @property {string | null} stage
 * @property {number} progress Percent.
 * @property {number} age_s
 *
 * @typedef {object} Process
 * @property {string} id
 * @property {string} host
 * @property {string} queue
 * @property {string} version
 * @property {"starting" | "ready" | "stopping"} state
 * @property {string} device
 * @property {string | null} device_name
 * @property {string[]} models
 * @property {number} memory_bytes
 * @property {Record<string, number>} device_memory_bytes
 * @property {string[]} unreachable
 * @property {number} uptime_s
 * @property {number} heartbeat_age_s
 * @property {CurrentJob | null} job
 *
 * @typedef {object} PeriodFigures
 * @property {number} completed
 * @property {number} failed
 * @property {number} canceled
 * @property {number} audio_s
 * @property {number} device_s
 * @property {{p50: number, p95: number} | null} waiting_s
 * @property {{p50: number, p95: number} | null} running_s
 * @property {number | null} cost
 *
 * @typedef {object} Fleet
 * @property {QueueFigures[]} queues
 * @property {Process[] | null} processes
 * @property {string[]} unreachable
 * @property {{hours: number, total: PeriodFigures}} throughput
 *
 * @typedef {object} FleetJob
 * @property {string} id
 * @property {string | null} user_id
 * @property {string} job_type
 * @property {import("../types.js").Status} status
 * @property {number} progress
 * @property {string | null} stage
 * @property {number} attempt
 * @property {string | null} error_code
 * @property {string | null} error_message
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} completed_at
 * @property {string | null} cancel_requested_at
 * @property {string | null} retry_of Job that this one repeats.
 */

export {};
