-- Jobs that clients of Replicate's API make: their deadline, and an index for their list.
ALTER TABLE public.ai_jobs ADD COLUMN IF NOT EXISTS deadline TIMESTAMPTZ;
COMMENT ON COLUMN public.ai_jobs.deadline IS 'Time at which the job is canceled unless it has ended.';
GRANT INSERT (deadline) ON public.ai_jobs TO authenticated;

CREATE INDEX IF NOT EXISTS ai_jobs_deadline ON public.ai_jobs (deadline)
  WHERE status IN ('queued', 'processing') AND cancel_requested_at IS NULL;
CREATE INDEX IF NOT EXISTS ai_jobs_predictions ON public.ai_jobs (created_at, id)
  WHERE job_type = 'separate' AND input_data ? 'prediction';
