-- Columns of the queue. All have defaults or are nullable, so the backend's plain INSERT keeps
-- working.
ALTER TABLE public.ai_jobs
  ADD COLUMN IF NOT EXISTS attempt INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS failures INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS max_attempts INTEGER NOT NULL DEFAULT 3,
  ADD COLUMN IF NOT EXISTS priority INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS run_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  ADD COLUMN IF NOT EXISTS worker_id TEXT,
  ADD COLUMN IF NOT EXISTS started_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  ADD COLUMN IF NOT EXISTS heartbeat_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS lease_expires_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS cancel_requested_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS idempotency_key TEXT,
  ADD COLUMN IF NOT EXISTS error_code TEXT,
  ADD COLUMN IF NOT EXISTS stage TEXT,
  ADD COLUMN IF NOT EXISTS retry_of UUID REFERENCES public.ai_jobs (id) ON DELETE SET NULL,
  ADD COLUMN IF NOT EXISTS result_digest TEXT;

CREATE UNIQUE INDEX IF NOT EXISTS ai_jobs_idempotency ON public.ai_jobs (user_id, idempotency_key)
  NULLS NOT DISTINCT WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS ai_jobs_waiting ON public.ai_jobs (created_at, id)
  WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS ai_jobs_running ON public.ai_jobs (lease_expires_at)
  WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS ai_jobs_recent ON public.ai_jobs (updated_at);
CREATE INDEX IF NOT EXISTS ai_jobs_of_user ON public.ai_jobs (user_id, created_at);
CREATE INDEX IF NOT EXISTS ai_jobs_result ON public.ai_jobs (result_digest)
  WHERE status = 'completed';

-- Allowed changes of status. A trigger refuses all others, for every role.
CREATE TABLE IF NOT EXISTS mashup_worker.job_transitions (
  from_status TEXT NOT NULL,
  to_status TEXT NOT NULL,
  PRIMARY KEY (from_status, to_status)
);
INSERT INTO mashup_worker.job_transitions (from_status, to_status) VALUES
  ('queued', 'processing'), ('queued', 'canceled'), ('queued', 'failed'),
  ('processing', 'completed'), ('processing', 'failed'), ('processing', 'canceled'),
  ('processing', 'queued')
ON CONFLICT DO NOTHING;
GRANT SELECT ON mashup_worker.job_transitions TO mashup_worker;

CREATE OR REPLACE FUNCTION mashup_worker.guard_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF NEW.status IS DISTINCT FROM OLD.status THEN
    IF NOT EXISTS (
      SELECT FROM mashup_worker.job_transitions
      WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
      RAISE EXCEPTION 'job %: status % can''t become %', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('completed', 'failed', 'canceled') THEN
      NEW.completed_at := pg_catalog.clock_timestamp();
    END IF;
  ELSIF OLD.status IN ('completed', 'failed', 'canceled') AND (
    NEW.attempt, NEW.progress, NEW.output_data, NEW.error_code, NEW.error_message, NEW.completed_at,
    NEW.worker_id
  ) IS DISTINCT FROM (
    OLD.attempt, OLD.progress, OLD.output_data, OLD.error_code, OLD.error_message, OLD.completed_at,
    OLD.worker_id
  ) THEN
    RAISE EXCEPTION 'job %: it has ended (%) and is read-only', OLD.id, OLD.status
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.cancel_requested_at IS DISTINCT FROM OLD.cancel_requested_at THEN
    -- A client chooses whether to request cancellation. The time is the server's, and a request is
    -- final.
    NEW.cancel_requested_at :=
      coalesce(OLD.cancel_requested_at, pg_catalog.clock_timestamp());
  END IF;
  IF NEW.attempt < OLD.attempt THEN
    RAISE EXCEPTION 'job %: attempt can''t decrease', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  NEW.updated_at := pg_catalog.clock_timestamp();
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION mashup_worker.guard_new_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF pg_catalog.octet_length(NEW.input_data::text) > 262144 THEN
    RAISE EXCEPTION 'input_data is larger than 256 KiB' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION mashup_worker.notify_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  -- The id only: a payload is limited to 7,999 bytes, and rows are private.
  PERFORM pg_catalog.pg_notify('ai_jobs', NEW.id::text);
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER ai_jobs_guard_new BEFORE INSERT ON public.ai_jobs
  FOR EACH ROW EXECUTE FUNCTION mashup_worker.guard_new_job();
CREATE OR REPLACE TRIGGER ai_jobs_guard BEFORE UPDATE ON public.ai_jobs
  FOR EACH ROW EXECUTE FUNCTION mashup_worker.guard_job();
CREATE OR REPLACE TRIGGER ai_jobs_notify_insert AFTER INSERT ON public.ai_jobs
  FOR EACH ROW EXECUTE FUNCTION mashup_worker.notify_job();
CREATE OR REPLACE TRIGGER ai_jobs_notify_update AFTER UPDATE ON public.ai_jobs
  FOR EACH ROW WHEN (
    OLD.status IS DISTINCT FROM NEW.status
    OR OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at
    OR OLD.run_at IS DISTINCT FROM NEW.run_at
  ) EXECUTE FUNCTION mashup_worker.notify_job();
