-- name: heartbeat
-- Renews the lease and stores the progress, which never decreases within an attempt.
UPDATE public.ai_jobs SET
  heartbeat_at = clock_timestamp(),
  lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s),
  progress = greatest(progress, %(progress)s), stage = coalesce(%(stage)s, stage)
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s
RETURNING cancel_requested_at IS NOT NULL AS cancel_requested;

-- name: find
SELECT * FROM public.ai_jobs WHERE id = %(id)s;

-- name: insert
INSERT INTO public.ai_jobs (
  user_id, job_type, input_data, idempotency_key, priority, retry_of, traceparent
)
VALUES (
  %(user_id)s, %(job_type)s, %(input)s, %(idempotency_key)s, %(priority)s, %(retry_of)s,
  %(traceparent)s
)
RETURNING *;

-- name: request_cancel
UPDATE public.ai_jobs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
WHERE id = %(id)s AND status IN ('queued', 'processing')
RETURNING *;

-- name: next_waiting
-- Order of starts: first the priority of the job plus its user's tier, raised by one for every
-- `aging_s` of waiting, minus one such step for each job of the same user that runs or is queued
-- before it; then the number of those jobs, fewest first; then age. So jobs that one user inserts
-- at once age one after the other and do not delay users who come later.
WITH running AS (
  SELECT user_id, count(*) AS jobs FROM public.ai_jobs
  WHERE status = 'processing' AND user_id IS NOT NULL GROUP BY user_id
), waiting AS (
  SELECT id, user_id, job_type, attempt, created_at, priority,
    floor(extract(epoch FROM clock_timestamp() - created_at) / %(aging_s)s) AS steps,
    CASE WHEN user_id IS NULL THEN 0
      ELSE row_number() OVER (PARTITION BY user_id ORDER BY priority DESC, created_at, id) - 1
    END AS before
  FROM public.ai_jobs
  WHERE status = 'queued' AND run_at <= clock_timestamp() AND cancel_requested_at IS NULL
    AND job_type = ANY(%(job_types)s)
), tier AS (
  SELECT user_id, priority FROM mashup_worker.user_tiers(
    ARRAY(SELECT DISTINCT user_id FROM waiting WHERE user_id IS NOT NULL)
  )
)
SELECT w.id, w.attempt, w.job_type
FROM waiting AS w LEFT JOIN running USING (user_id) LEFT JOIN tier USING (user_id)
CROSS JOIN LATERAL (SELECT w.before + coalesce(running.jobs, 0)) AS own (ahead)
WHERE NOT w.id = ANY(%(pending)s)
ORDER BY
  w.priority + coalesce(tier.priority, 0) + greatest(0, w.steps - own.ahead) DESC,
  own.ahead, w.created_at, w.id
LIMIT %(limit)s;

-- name: to_cancel
SELECT id FROM public.ai_jobs
WHERE status = 'queued' AND cancel_requested_at IS NOT NULL
LIMIT 500 FOR UPDATE SKIP LOCKED;

-- name: cancel_overdue
-- Requests the cancellation of open jobs whose deadline has passed.
UPDATE public.ai_jobs SET cancel_requested_at = clock_timestamp()
WHERE id IN (
  SELECT id FROM public.ai_jobs
  WHERE deadline <= clock_timestamp() AND status IN ('queued', 'processing')
    AND cancel_requested_at IS NULL
  LIMIT 500 FOR UPDATE SKIP LOCKED
)
RETURNING id;

-- name: of_no_queue
SELECT id, job_type FROM public.ai_jobs
WHERE status = 'queued' AND NOT job_type = ANY(%(job_types)s)
LIMIT 500 FOR UPDATE SKIP LOCKED;

-- name: expired
SELECT id, attempt, worker_id FROM public.ai_jobs
WHERE status = 'processing' AND lease_expires_at < clock_timestamp()
LIMIT 500 FOR UPDATE SKIP LOCKED;

-- name: next_due_s
-- Seconds until the next delayed job may run, or the next deadline passes.
SELECT extract(epoch FROM least(
  (SELECT min(run_at) FROM public.ai_jobs WHERE status = 'queued' AND run_at > clock_timestamp()),
  (SELECT min(deadline) FROM public.ai_jobs
    WHERE status IN ('queued', 'processing') AND cancel_requested_at IS NULL)
) - clock_timestamp())::double precision AS seconds;

-- name: changed_since
-- Without input_data, which is untrusted and not needed here.
SELECT
  id, attempt, status, progress, stage, error_code, error_message, updated_at,
  output_data::text AS output
FROM public.ai_jobs
WHERE (updated_at, id) > (%(since)s, %(after)s) ORDER BY updated_at, id LIMIT %(limit)s;

-- name: still_open
SELECT
  id, attempt, status, progress, stage, error_code, error_message, updated_at,
  output_data::text AS output
FROM public.ai_jobs
WHERE status IN ('queued', 'processing') AND id > %(after)s ORDER BY id LIMIT %(limit)s;

-- name: clock
SELECT clock_timestamp() AS now;

-- name: recent
SELECT * FROM public.ai_jobs
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
  AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
ORDER BY created_at DESC, id LIMIT %(limit)s;

-- name: counts
SELECT status, count(*)::integer AS jobs FROM public.ai_jobs GROUP BY status;

-- name: with_result
-- The user's completed jobs that did the same work, newest first.
SELECT * FROM public.ai_jobs
WHERE result_digest = %(result_digest)s AND status = 'completed'
  AND user_id IS NOT DISTINCT FROM %(user_id)s
ORDER BY completed_at DESC LIMIT 3;

-- name: page
SELECT
  id, user_id, job_type, status, progress, stage, attempt, error_code,
  error_message, created_at, started_at, completed_at, cancel_requested_at, retry_of
FROM public.ai_jobs
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
  AND (%(created_at)s::timestamptz IS NULL OR (created_at, id) < (%(created_at)s, %(last)s))
ORDER BY created_at DESC, id DESC LIMIT %(limit)s;

-- name: shown
-- Without the columns that only workers need, and with JSON that is passed on as it is.
SELECT
  id, user_id, job_type, status, progress, stage, attempt, error_code, error_message, created_at,
  started_at, completed_at, cancel_requested_at, retry_of,
  CASE WHEN jsonb_typeof(input_data) = 'object' THEN input_data::text ELSE '{}' END AS input_data,
  output_data::text AS output_data
FROM public.ai_jobs WHERE id = %(id)s;

-- name: states
SELECT
  id, attempt, status, progress, stage, error_code, error_message, updated_at, NULL AS output
FROM public.ai_jobs WHERE id = ANY(%(ids)s);
