-- Songs are listed without the jobs that a later one repeats.
CREATE INDEX IF NOT EXISTS ai_jobs_retries ON public.ai_jobs (retry_of) WHERE retry_of IS NOT NULL;
