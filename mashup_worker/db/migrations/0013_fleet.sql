-- Trace context of the request that inserted a job, in the form of W3C's version 00.
ALTER TABLE public.ai_jobs ADD COLUMN IF NOT EXISTS traceparent TEXT;
ALTER TABLE public.ai_jobs DROP CONSTRAINT IF EXISTS ai_jobs_traceparent;
ALTER TABLE public.ai_jobs ADD CONSTRAINT ai_jobs_traceparent
  CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
COMMENT ON COLUMN public.ai_jobs.traceparent IS
  'W3C trace context of the request that inserted the job.';
GRANT INSERT (traceparent) ON public.ai_jobs TO authenticated;

-- Figures of completed jobs in columns of their own: output_data is large, so reading it for each job
-- of a period takes seconds. Filters of jsonpath skip values of other types.
ALTER TABLE public.ai_jobs
  ADD COLUMN IF NOT EXISTS audio_s DOUBLE PRECISION,
  ADD COLUMN IF NOT EXISTS device_s DOUBLE PRECISION;
COMMENT ON COLUMN public.ai_jobs.audio_s IS 'Duration of the audio of a completed job.';
COMMENT ON COLUMN public.ai_jobs.device_s IS 'Time for which a completed job occupied a device.';

CREATE OR REPLACE FUNCTION mashup_worker.audio_s(output JSONB) RETURNS DOUBLE PRECISION
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT coalesce(
    jsonb_path_query_first(output, '$.stems[0].duration_s ? (@.type() == "number")'),
    jsonb_path_query_first(output, '$.audio.duration_s ? (@.type() == "number")'),
    jsonb_path_query_first(output, '$.analysis.duration_s ? (@.type() == "number")'),
    '0'
  )::double precision;
$$;
CREATE OR REPLACE FUNCTION mashup_worker.device_s(output JSONB) RETURNS DOUBLE PRECISION
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT coalesce(
    jsonb_path_query_first(output, '$.timings_s.device ? (@.type() == "number")'), '0'
  )::double precision;
$$;
REVOKE ALL ON FUNCTION mashup_worker.audio_s, mashup_worker.device_s
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.audio_s, mashup_worker.device_s
  TO mashup_worker, service_role;

-- Paused queues: jobs of these types do not start until the row is deleted.
CREATE TABLE IF NOT EXISTS mashup_worker.paused_queues (
  name TEXT PRIMARY KEY,
  job_types TEXT[] NOT NULL,
  paused_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON mashup_worker.paused_queues TO mashup_worker, service_role;

-- Pausing waits until claims in flight are committed, and later claims wait for the pause.
CREATE OR REPLACE FUNCTION mashup_worker.wait_for_claims() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('mashup_worker.paused_queues', 0)
  );
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER paused_queues_wait
  BEFORE INSERT OR UPDATE ON mashup_worker.paused_queues
  FOR EACH STATEMENT EXECUTE FUNCTION mashup_worker.wait_for_claims();

CREATE OR REPLACE FUNCTION mashup_worker.notify_resumed() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM pg_catalog.pg_notify('mashup_queues', '');
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER paused_queues_notify AFTER DELETE ON mashup_worker.paused_queues
  FOR EACH STATEMENT EXECUTE FUNCTION mashup_worker.notify_resumed();

-- Returns whether jobs of these types may start now. The lock lasts until the transaction ends, so a
-- job that is claimed in the same transaction has started before any later pause.
CREATE OR REPLACE FUNCTION mashup_worker.may_start(wanted TEXT[]) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock_shared(
    pg_catalog.hashtextextended('mashup_worker.paused_queues', 0)
  );
  -- A separate statement, which sees a pause that was committed while it waited for the lock.
  RETURN NOT EXISTS (
    SELECT FROM mashup_worker.paused_queues AS p
    WHERE p.job_types OPERATOR(pg_catalog.&&) wanted
  );
END $$;

-- Returns the number of jobs that need workers: running ones, since a worker that is stopped would
-- lose its job, and waiting ones, except those of paused queues. For autoscalers.
CREATE OR REPLACE FUNCTION mashup_worker.open_jobs(queue_job_types TEXT[] DEFAULT NULL)
RETURNS INTEGER LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT (
    SELECT count(*) FROM public.ai_jobs AS j
    WHERE j.status = 'processing'
      AND (queue_job_types IS NULL OR j.job_type = ANY(queue_job_types))
  )::integer + (
    SELECT count(*) FROM public.ai_jobs AS j
    WHERE j.status = 'queued'
      AND (queue_job_types IS NULL OR j.job_type = ANY(queue_job_types))
      AND NOT EXISTS (
        SELECT FROM mashup_worker.paused_queues AS p WHERE j.job_type = ANY(p.job_types)
      )
  )::integer;
$$;

REVOKE ALL ON FUNCTION mashup_worker.may_start, mashup_worker.open_jobs
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.may_start TO mashup_worker;
GRANT EXECUTE ON FUNCTION mashup_worker.open_jobs TO mashup_worker, service_role;

-- Operators read the figures of all tiers through the API.
GRANT EXECUTE ON FUNCTION mashup_worker.user_tiers TO service_role;
