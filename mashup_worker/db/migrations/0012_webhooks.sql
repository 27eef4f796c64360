-- Outbox of webhooks. A trigger writes the messages in the transaction that changes the job, so they
-- exist if and only if the change is committed. Mirrors send them.
CREATE TABLE IF NOT EXISTS mashup_worker.webhooks (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  position BIGINT GENERATED ALWAYS AS IDENTITY,
  job_id UUID NOT NULL REFERENCES public.ai_jobs (id) ON DELETE CASCADE,
  user_id UUID,
  event TEXT NOT NULL,
  moment JSONB NOT NULL,
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'delivered', 'dead')),
  tries INTEGER NOT NULL DEFAULT 0,
  due_at TIMESTAMPTZ,
  lease_expires_at TIMESTAMPTZ,
  first_tried_at TIMESTAMPTZ,
  error TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  ended_at TIMESTAMPTZ,
  CHECK ((status = 'waiting') = (due_at IS NOT NULL))
);
COMMENT ON COLUMN mashup_worker.webhooks.position IS 'Order of the messages of one job.';
COMMENT ON COLUMN mashup_worker.webhooks.moment IS 'Columns of the job at the time of the event.';
COMMENT ON COLUMN mashup_worker.webhooks.lease_expires_at IS
  'Set while a mirror sends the message; another one sends it after this time.';

-- The conditions of the first two indexes differ, because the planner confuses small ones otherwise.
CREATE INDEX IF NOT EXISTS webhooks_due ON mashup_worker.webhooks (host, due_at, position)
  WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhooks_waiting ON mashup_worker.webhooks (job_id, position)
  WHERE status = 'waiting';
CREATE INDEX IF NOT EXISTS webhooks_leased ON mashup_worker.webhooks (lease_expires_at)
  WHERE lease_expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhooks_of_job ON mashup_worker.webhooks (job_id);
CREATE INDEX IF NOT EXISTS webhooks_ended ON mashup_worker.webhooks (status, ended_at)
  WHERE status <> 'waiting';

GRANT SELECT, UPDATE, DELETE ON mashup_worker.webhooks TO mashup_worker;

-- Returns the event that a change of a job is for its webhook; null for none. The output of a job
-- appears with its end, so one message serves both events.
CREATE OR REPLACE FUNCTION mashup_worker.webhook_event(before public.ai_jobs, after public.ai_jobs)
RETURNS TEXT LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
DECLARE
  wanted JSONB := after.input_data -> 'webhook_events_filter';
  event TEXT := CASE
    WHEN after.status IN ('completed', 'failed', 'canceled') THEN 'completed'
    WHEN after.status IS DISTINCT FROM 'processing' THEN NULL
    WHEN before.status IS DISTINCT FROM 'processing' THEN 'start'
    ELSE 'logs'
  END;
BEGIN
  IF pg_catalog.jsonb_typeof(wanted) IS DISTINCT FROM 'array' THEN
    wanted := '["output", "completed"]';
  END IF;
  IF wanted ? event THEN
    RETURN event;
  END IF;
  RETURN CASE WHEN event = 'completed' AND after.output_data IS NOT NULL AND wanted ? 'output'
    THEN 'output' END;
END $$;

-- Never raises an error, which would undo the change of the job.
CREATE OR REPLACE FUNCTION mashup_worker.enqueue_webhook() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  url TEXT := NEW.input_data ->> 'webhook';
  host TEXT := pg_catalog.lower(substring(url FROM '^https?://(?:[^/?#@]*@)?([^/?#@]{1,255})'));
  event TEXT := mashup_worker.webhook_event(OLD, NEW);
  state JSONB;
  due TIMESTAMPTZ;
BEGIN
  IF event IS NULL OR host IS NULL OR pg_catalog.length(url) > 2048 THEN
    RETURN NULL;
  END IF;
  state := pg_catalog.jsonb_build_object(
    'status', NEW.status, 'progress', NEW.progress, 'stage', NEW.stage, 'attempt', NEW.attempt,
    'started_at', NEW.started_at, 'error_code', NEW.error_code, 'error_message', NEW.error_message
  );
  IF event IN ('start', 'logs') THEN
    state := state || '{"output_data": null, "completed_at": null}';
  END IF;
  IF event = 'logs' THEN
    -- Only the newest progress matters, so it replaces one that no mirror has sent.
    UPDATE mashup_worker.webhooks AS w SET moment = state
    WHERE w.event = 'logs' AND w.status = 'waiting' AND w.tries = 0 AND w.id = (
      SELECT last.id FROM mashup_worker.webhooks AS last
      WHERE last.job_id = NEW.id AND last.status = 'waiting' ORDER BY last.position DESC LIMIT 1
    );
    IF FOUND THEN
      RETURN NULL;
    END IF;
  END IF;
  -- After an earlier message that failed, this one waits for the next try of that one.
  due := (
    SELECT max(earlier.due_at) FROM mashup_worker.webhooks AS earlier
    WHERE earlier.job_id = NEW.id AND earlier.status = 'waiting'
      AND earlier.lease_expires_at IS NULL
  );
  INSERT INTO mashup_worker.webhooks (job_id, user_id, event, moment, url, host, due_at)
  VALUES (
    NEW.id, NEW.user_id, event, state, url, host, greatest(pg_catalog.clock_timestamp(), due)
  );
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER ai_jobs_webhooks AFTER UPDATE ON public.ai_jobs
  FOR EACH ROW WHEN (
    (OLD.status, OLD.progress, OLD.stage) IS DISTINCT FROM (NEW.status, NEW.progress, NEW.stage)
    AND jsonb_typeof(NEW.input_data -> 'webhook') = 'string'
  ) EXECUTE FUNCTION mashup_worker.enqueue_webhook();

REVOKE ALL ON FUNCTION mashup_worker.webhook_event, mashup_worker.enqueue_webhook
  FROM PUBLIC, anon, authenticated;
