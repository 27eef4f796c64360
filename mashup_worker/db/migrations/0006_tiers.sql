-- Priority and limits of each subscription tier. Operators change the rows; null means no limit.
CREATE TABLE IF NOT EXISTS mashup_worker.tiers (
  tier TEXT PRIMARY KEY,
  priority INTEGER NOT NULL,
  separations_per_day INTEGER,
  mashups_per_month INTEGER
);
INSERT INTO mashup_worker.tiers (tier, priority, separations_per_day, mashups_per_month) VALUES
  ('free', 0, 1, 0),
  ('pro', 8, NULL, 20),
  ('studio', 16, NULL, NULL)
ON CONFLICT DO NOTHING;
GRANT SELECT ON mashup_worker.tiers TO mashup_worker;

-- The same with one row per limit.
CREATE OR REPLACE VIEW mashup_worker.tier_limits AS
  SELECT tier, priority, 'separate' AS job_type, separations_per_day AS max_jobs, 'day' AS period
  FROM mashup_worker.tiers
  UNION ALL
  SELECT tier, priority, 'mashup', mashups_per_month, 'month'
  FROM mashup_worker.tiers;
GRANT SELECT ON mashup_worker.tier_limits TO mashup_worker;

-- Returns the tier of each user: the best of their subscriptions, or free. An operator whose
-- subscriptions differ replaces this function only.
CREATE OR REPLACE FUNCTION mashup_worker.user_tiers(users UUID[])
RETURNS TABLE (user_id UUID, tier TEXT, priority INTEGER)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT DISTINCT ON (u.id) u.id, t.tier, t.priority
  FROM unnest(users) AS u (id)
  JOIN mashup_worker.tiers AS t ON t.tier = 'free' OR t.tier IN (
    SELECT lower(s.tier) FROM public.subscriptions AS s
    WHERE s.user_id = u.id AND s.status IN ('active', 'trialing')
  )
  ORDER BY u.id, t.priority DESC;
$$;

-- Returns how many jobs of the same user and type count before a job in its day or month (UTC): all
-- that were ever started, and older ones that wait. Jobs that failed, or were canceled before they
-- started, do not count.
CREATE OR REPLACE FUNCTION mashup_worker.jobs_before(job public.ai_jobs, period TEXT)
RETURNS BIGINT LANGUAGE sql STABLE SET search_path = '' AS $$
  SELECT count(*) FROM public.ai_jobs AS o
  WHERE o.user_id = job.user_id AND o.job_type = job.job_type AND o.id <> job.id
    AND o.created_at >= date_trunc(period, job.created_at, 'UTC')
    AND date_trunc(period, o.created_at, 'UTC') = date_trunc(period, job.created_at, 'UTC')
    AND o.status <> 'failed'
    AND (o.attempt > 0 OR (o.status = 'queued' AND (o.created_at, o.id) < (job.created_at, job.id)));
$$;

-- Returns the limit that forbids a waiting job its first start; no row if it may start. The lock
-- lasts until the transaction ends, so racing jobs of one user are decided one after the other.
CREATE OR REPLACE FUNCTION mashup_worker.over_quota(job UUID)
RETURNS TABLE (
  tier TEXT, job_type TEXT, max_jobs INTEGER, period TEXT, until DATE, next_tier TEXT
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine public.ai_jobs;
  own RECORD;
BEGIN
  SELECT * INTO mine FROM public.ai_jobs AS j
  WHERE j.id = job AND j.status = 'queued' AND j.attempt = 0 AND j.user_id IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT l.* INTO own
  FROM mashup_worker.user_tiers(ARRAY[mine.user_id]) AS u
  JOIN mashup_worker.tier_limits AS l ON l.tier = u.tier
  WHERE l.job_type = mine.job_type AND l.max_jobs IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('mashup_worker.over_quota', 0)
    # pg_catalog.hashtextextended(mine.user_id::text, 0)
  );
  -- A separate statement, which sees rows that were committed while it waited for the lock.
  IF mashup_worker.jobs_before(mine, own.period) < own.max_jobs THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT own.tier, own.job_type, own.max_jobs, own.period, (
      pg_catalog.date_trunc(own.period, mine.created_at AT TIME ZONE 'UTC')
      + ('1 ' || own.period)::interval
    )::date, (
      SELECT l.tier FROM mashup_worker.tier_limits AS l
      WHERE l.job_type = own.job_type AND l.priority > own.priority
        AND (l.max_jobs IS NULL OR l.max_jobs > own.max_jobs)
      ORDER BY l.priority LIMIT 1
    );
END $$;

-- Returns waiting jobs that are probably over their tier's limit; `over_quota` decides about each.
CREATE OR REPLACE FUNCTION mashup_worker.likely_over_quota() RETURNS SETOF UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  WITH fresh AS (
    SELECT j AS job, j.user_id, j.job_type FROM public.ai_jobs AS j
    WHERE j.status = 'queued' AND j.attempt = 0 AND j.user_id IS NOT NULL
      AND j.cancel_requested_at IS NULL
  )
  SELECT (f.job).id
  FROM fresh AS f
  JOIN mashup_worker.user_tiers(ARRAY(SELECT DISTINCT user_id FROM fresh)) AS u USING (user_id)
  JOIN mashup_worker.tier_limits AS l ON l.tier = u.tier AND l.job_type = f.job_type
  WHERE l.max_jobs IS NOT NULL AND mashup_worker.jobs_before(f.job, l.period) >= l.max_jobs
  LIMIT 500;
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.user_tiers, mashup_worker.jobs_before, mashup_worker.over_quota,
  mashup_worker.likely_over_quota
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
  mashup_worker.user_tiers, mashup_worker.over_quota, mashup_worker.likely_over_quota
  TO mashup_worker;
