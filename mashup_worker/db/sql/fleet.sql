-- name: running
SELECT
  id, worker_id, job_type, attempt, stage, progress,
  extract(epoch FROM clock_timestamp() - started_at)::double precision AS age_s
FROM public.ai_jobs WHERE status = 'processing';

-- name: throughput
-- Figures of the jobs that ended within a period: of all, and of each group. Jobs that ended before
-- the columns existed are read from their output.
WITH ended AS (
  SELECT
    CASE %(group_by)s::text
      WHEN 'user' THEN user_id::text
      WHEN 'job_type' THEN CASE WHEN job_type = ANY(%(job_types)s) THEN job_type ELSE 'other' END
    END AS "group",
    status,
    coalesce(device_s, mashup_worker.device_s(output_data)) AS device_s,
    coalesce(audio_s, mashup_worker.audio_s(output_data)) AS audio_s,
    extract(epoch FROM started_at - greatest(created_at, run_at)) AS waiting_s,
    extract(epoch FROM completed_at - started_at) AS running_s
  FROM public.ai_jobs
  WHERE status IN ('completed', 'failed', 'canceled')
    -- updated_at has an index, and is never earlier than the end.
    AND updated_at >= now() - make_interval(secs => %(period_s)s)
    AND completed_at >= now() - make_interval(secs => %(period_s)s)
)
SELECT
  grouping("group") = 1 AS is_total, "group",
  count(*) FILTER (WHERE status = 'completed')::integer AS completed,
  count(*) FILTER (WHERE status = 'failed')::integer AS failed,
  count(*) FILTER (WHERE status = 'canceled')::integer AS canceled,
  coalesce(sum(audio_s) FILTER (WHERE status = 'completed'), 0) AS audio_s,
  coalesce(sum(device_s) FILTER (WHERE status = 'completed'), 0) AS device_s,
  percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY waiting_s)
    FILTER (WHERE status = 'completed') AS waiting_s,
  percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY running_s)
    FILTER (WHERE status = 'completed') AS running_s
FROM ended
GROUP BY GROUPING SETS ((), ("group"))
ORDER BY is_total DESC, device_s DESC, completed DESC, "group"
LIMIT 1 + %(limit)s;
