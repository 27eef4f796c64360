-- name: page
SELECT * FROM public.ai_jobs
WHERE job_type = 'separate' AND input_data ? 'prediction'
  AND (
    %(last_at)s::timestamptz IS NULL OR (created_at, id) < (%(last_at)s, %(last_id)s::uuid)
  )
  AND created_at >= coalesce(%(created_after)s::timestamptz, '-infinity')
  AND created_at < coalesce(%(created_before)s::timestamptz, 'infinity')
ORDER BY created_at DESC, id DESC LIMIT %(limit)s;
