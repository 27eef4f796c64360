-- Decisions of the API before it inserts a job. Workers decide again before a job starts.

-- Returns the limit that forbids a job its first start; no row if it may start. A job without
-- `created_at` is one that does not exist yet. The lock lasts until the transaction ends, so racing
-- jobs of one user are decided one after the other.
CREATE OR REPLACE FUNCTION mashup_worker.reached_limit(job public.ai_jobs)
RETURNS TABLE (
  tier TEXT, job_type TEXT, max_jobs INTEGER, period TEXT, until DATE, next_tier TEXT
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  own RECORD;
BEGIN
  SELECT l.* INTO own
  FROM mashup_worker.user_tiers(ARRAY[job.user_id]) AS u
  JOIN mashup_worker.tier_limits AS l ON l.tier = u.tier
  WHERE l.job_type = job.job_type AND l.max_jobs IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('mashup_worker.over_quota', 0)
    # pg_catalog.hashtextextended(job.user_id::text, 0)
  );
  -- After the lock, so that all jobs that were inserted meanwhile are older.
  job.created_at := coalesce(job.created_at, pg_catalog.clock_timestamp());
  -- A separate statement, which sees rows that were committed while it waited for the lock.
  IF mashup_worker.jobs_before(job, own.period) < own.max_jobs THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT own.tier, own.job_type, own.max_jobs, own.period, (
      pg_catalog.date_trunc(own.period, job.created_at AT TIME ZONE 'UTC')
      + ('1 ' || own.period)::interval
    )::date, (
      SELECT l.tier FROM mashup_worker.tier_limits AS l
      WHERE l.job_type = own.job_type AND l.priority > own.priority
        AND (l.max_jobs IS NULL OR l.max_jobs > own.max_jobs)
      ORDER BY l.priority LIMIT 1
    );
END $$;

-- Returns the limit that forbids a waiting job its first start; no row if it may start.
CREATE OR REPLACE FUNCTION mashup_worker.over_quota(job UUID)
RETURNS TABLE (
  tier TEXT, job_type TEXT, max_jobs INTEGER, period TEXT, until DATE, next_tier TEXT
)
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  SELECT l.* FROM public.ai_jobs AS j CROSS JOIN LATERAL mashup_worker.reached_limit(j) AS l
  WHERE j.id = job AND j.status = 'queued' AND j.attempt = 0 AND j.user_id IS NOT NULL;
$$;

-- Returns the limit that forbids a user one more job of a type; no row if it may be inserted in this
-- transaction.
CREATE OR REPLACE FUNCTION mashup_worker.over_quota_of_new_job(new_user UUID, new_type TEXT)
RETURNS TABLE (
  tier TEXT, job_type TEXT, max_jobs INTEGER, period TEXT, until DATE, next_tier TEXT
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  job public.ai_jobs;
BEGIN
  job.id := pg_catalog.gen_random_uuid();
  job.user_id := new_user;
  job.job_type := new_type;
  RETURN QUERY SELECT l.* FROM mashup_worker.reached_limit(job) AS l;
END $$;

REVOKE ALL ON FUNCTION
  mashup_worker.reached_limit, mashup_worker.over_quota,
  mashup_worker.over_quota_of_new_job
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.over_quota TO mashup_worker;
GRANT EXECUTE ON FUNCTION
  mashup_worker.over_quota_of_new_job, mashup_worker.readable_stem, mashup_worker.owns_mashup
  TO mashup_api;
