-- Statements of the API before and at the insert of a job.

-- name: with_key
SELECT * FROM public.ai_jobs
WHERE idempotency_key = %(idempotency_key)s
  AND (user_id = %(user_id)s OR (user_id IS NULL AND %(user_id)s::uuid IS NULL));

-- name: over_quota
SELECT * FROM mashup_worker.over_quota_of_new_job(%(user_id)s, %(job_type)s);

-- name: unreadable_stems
SELECT s.id FROM unnest(%(stems)s::uuid[]) AS s (id)
WHERE NOT EXISTS (SELECT FROM mashup_worker.readable_stem(s.id, %(user_id)s));

-- name: insert
-- Names only columns that users may insert. No row if the user has a job with this key.
INSERT INTO public.ai_jobs (
  user_id, job_type, input_data, idempotency_key, retry_of, traceparent, deadline
)
VALUES (
  %(user_id)s, %(job_type)s, %(input)s, %(idempotency_key)s, %(retry_of)s, %(traceparent)s,
  clock_timestamp() + make_interval(secs => %(deadline_s)s)
)
ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING *;
