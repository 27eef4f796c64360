-- All changes of a job's status. Only `jobs.change_status` runs these statements. The table
-- mashup_worker.job_transitions has the allowed changes for every role.
--
-- Status, attempt and worker form the fence of a running job. Zero changed rows mean that the job
-- no longer belongs to the caller.

-- name: claim
UPDATE public.ai_jobs SET
  status = 'processing', attempt = attempt + 1, worker_id = %(worker_id)s, progress = 0,
  stage = NULL, started_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
  lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = (
  -- Does not wait for a locked row, whose wake-up will be repeated.
  SELECT id FROM public.ai_jobs
  WHERE id = %(id)s AND status = 'queued' AND run_at <= clock_timestamp()
    AND cancel_requested_at IS NULL AND job_type = ANY(%(job_types)s)
  FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: complete
UPDATE public.ai_jobs SET
  status = 'completed', progress = 100, stage = NULL, output_data = %(output)s,
  audio_s = mashup_worker.audio_s(%(output)s), device_s = mashup_worker.device_s(%(output)s),
  result_digest = %(result_digest)s, source_sha256 = %(source_sha256)s,
  source_jobs = %(source_jobs)s, error_code = NULL, error_message = NULL,
  lease_expires_at = NULL
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s AND cancel_requested_at IS NULL
RETURNING *;

-- name: fail
UPDATE public.ai_jobs SET
  status = 'failed', stage = NULL, failures = failures + 1, error_code = %(code)s,
  error_message = %(message)s, lease_expires_at = NULL
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s
RETURNING *;

-- name: retry
UPDATE public.ai_jobs SET
  status = 'queued', stage = NULL, failures = failures + 1, error_code = %(code)s,
  error_message = %(message)s, lease_expires_at = NULL,
  run_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s AND failures + 1 < max_attempts
RETURNING *;

-- name: release
UPDATE public.ai_jobs SET
  status = 'queued', stage = NULL, lease_expires_at = NULL, run_at = clock_timestamp()
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s
RETURNING *;

-- name: cancel_running
UPDATE public.ai_jobs SET
  status = 'canceled', stage = NULL, lease_expires_at = NULL
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s AND cancel_requested_at IS NOT NULL
RETURNING *;

-- name: cancel_waiting
UPDATE public.ai_jobs SET status = 'canceled'
WHERE id = %(id)s AND status = 'queued' AND cancel_requested_at IS NOT NULL
RETURNING *;

-- name: reject
UPDATE public.ai_jobs SET
  status = 'failed', error_code = %(code)s, error_message = %(message)s
WHERE id = %(id)s AND status = 'queued'
RETURNING *;

-- name: expire
-- After the end of a lease: queued again, or canceled if requested, or failed after too many
-- failures.
UPDATE public.ai_jobs SET
  status = CASE
    WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
    WHEN failures + 1 >= max_attempts THEN 'failed'
    ELSE 'queued'
  END,
  stage = NULL, failures = failures + 1, error_code = %(code)s, error_message = %(message)s,
  lease_expires_at = NULL, run_at = clock_timestamp()
WHERE id = %(id)s AND status = 'processing' AND lease_expires_at < clock_timestamp()
RETURNING *;
