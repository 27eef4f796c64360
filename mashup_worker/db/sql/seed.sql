-- name: latest
-- The job with an idempotency key, or its latest retry.
WITH RECURSIVE chain AS (
  SELECT * FROM public.ai_jobs WHERE user_id = %(user)s AND idempotency_key = %(key)s
  UNION ALL
  SELECT j.* FROM public.ai_jobs AS j JOIN chain ON j.retry_of = chain.id
)
SELECT * FROM chain ORDER BY created_at DESC, id LIMIT 1;

-- name: seed_mashup
SELECT mashup_worker.seed_mashup(%(user)s, %(title)s) AS id;

-- name: states
SELECT id, status, progress, error_code, error_message FROM public.ai_jobs
WHERE id = ANY(%(jobs)s);
