-- name: running
SELECT
  id, worker_id, job_type, attempt, stage, progress,
  extract(epoch FROM clock_timestamp() - started_at)::double precision AS age_s
FROM public.ai_jobs WHERE status = 'processing';

-- name: throughput
-- Figures of the jobs that ended within a period: of all, and of each group. Filters of jsonpath
-- skip values of other types, since the backend may have written output_data of its own.
WITH ended AS (
  SELECT
    CASE %(group_by)s::text
      WHEN 'user' THEN user_id::text
      WHEN 'job_type' THEN CASE WHEN job_type = ANY(%(job_types)s) THEN job_type ELSE 'other' END
    END AS "group",
    status,
    jsonb_path_query_first(output_data, '$.timings_s.device ? (@.type() == "number")')
      ::double precision AS device_s,
    coalesce(
      jsonb_path_query_first(output_data, '$.stems[0].duration_s ? (@.type() == "number")'),
      jsonb_path_query_first(output_data, '$.audio.duration_s ? (@.type() == "number")'),
      jsonb_path_query_first(output_data, '$.analysis.duration_s ? (@.type() == "number")')
    )::double precision AS audio_s,
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
