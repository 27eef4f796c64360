-- name: over_quota
SELECT * FROM mashup_worker.over_quota(%(job)s);

-- name: likely_over_quota
SELECT * FROM mashup_worker.likely_over_quota() AS j (id);

-- name: tier_of
SELECT tier FROM mashup_worker.user_tiers(ARRAY[%(user)s::uuid]);

-- name: open_by_tier
WITH open AS (
  SELECT user_id, job_type, status, created_at FROM public.ai_jobs
  WHERE status IN ('queued', 'processing')
)
SELECT
  coalesce(t.tier, 'none') AS tier, o.job_type, o.status, count(*)::integer AS jobs,
  extract(epoch FROM clock_timestamp() - min(o.created_at))::double precision AS oldest_s
FROM open AS o
LEFT JOIN mashup_worker.user_tiers(
  ARRAY(SELECT DISTINCT user_id FROM open WHERE user_id IS NOT NULL)
) AS t USING (user_id)
GROUP BY 1, 2, 3;

-- name: limits_of
SELECT * FROM mashup_worker.limits_of(%(user)s);
