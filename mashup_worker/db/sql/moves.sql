-- Every way in which a job's status changes. `jobs.move` runs these and nothing else does; the
-- table mashup_worker.job_transitions says what may follow what, whoever writes.
--
-- The fence of a running job: its status, attempt and worker. Zero rows changed means that the job
-- is no longer the caller's.

-- name: claim
UPDATE public.ai_jobs SET
  status = 'processing', attempt = attempt + 1, worker_id = %(worker_id)s, progress = 0,
  stage = NULL, started_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
  lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = (
  -- A row that somebody holds is not waited for: its doorbell rings again.
  SELECT id FROM public.ai_jobs
  WHERE id = %(id)s AND status = 'queued' AND run_at <= clock_timestamp()
    AND cancel_requested_at IS NULL AND job_type = ANY(%(job_types)s)
  FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: complete
UPDATE public.ai_jobs SET
  status = 'completed', progress = 100, stage = NULL, output_data = %(output)s,
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

-- name: hand_back
UPDATE public.ai_jobs SET
  status = 'queued', stage = NULL, lease_expires_at = NULL, run_at = clock_timestamp()
WHERE id = %(id)s AND status = 'processing' AND attempt = %(attempt)s
  AND worker_id = %(worker_id)s
RETURNING *;

-- name: stop
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
-- The lease ran out: back into the queue, unless the job was to be canceled or has failed too often.
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
