-- Users select and insert their own jobs and may request their cancellation. The worker's role
-- reads and updates all jobs.
ALTER TABLE public.ai_jobs ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON public.ai_jobs FROM anon, authenticated;
GRANT SELECT ON public.ai_jobs TO authenticated;
GRANT INSERT (user_id, job_type, input_data, idempotency_key) ON public.ai_jobs TO authenticated;
GRANT UPDATE (cancel_requested_at) ON public.ai_jobs TO authenticated;
GRANT SELECT, INSERT, UPDATE ON public.ai_jobs TO mashup_worker;
GRANT ALL ON public.ai_jobs TO service_role;

DROP POLICY IF EXISTS ai_jobs_own_select ON public.ai_jobs;
CREATE POLICY ai_jobs_own_select ON public.ai_jobs FOR SELECT TO authenticated
  USING (user_id = (SELECT auth.uid()));
DROP POLICY IF EXISTS ai_jobs_own_insert ON public.ai_jobs;
CREATE POLICY ai_jobs_own_insert ON public.ai_jobs FOR INSERT TO authenticated
  WITH CHECK (user_id = (SELECT auth.uid()));
DROP POLICY IF EXISTS ai_jobs_own_cancel ON public.ai_jobs;
CREATE POLICY ai_jobs_own_cancel ON public.ai_jobs FOR UPDATE TO authenticated
  USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid()));
DROP POLICY IF EXISTS ai_jobs_worker ON public.ai_jobs;
CREATE POLICY ai_jobs_worker ON public.ai_jobs TO mashup_worker USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS ai_jobs_service ON public.ai_jobs;
CREATE POLICY ai_jobs_service ON public.ai_jobs TO service_role USING (true) WITH CHECK (true);

-- Tables created by these migrations get policies. A table that existed before keeps its owner's.
DO $$
DECLARE
  own RECORD;
BEGIN
  FOR own IN
    SELECT * FROM (VALUES
      ('profiles', 'id = (SELECT auth.uid())'),
      ('subscriptions', 'user_id = (SELECT auth.uid())'),
      ('mashups', 'is_public OR user_id = (SELECT auth.uid())'),
      ('stems', 'is_public OR user_id = (SELECT auth.uid())'),
      ('mashup_stems', 'EXISTS (SELECT FROM public.mashups AS m WHERE m.id = mashup_id)'),
      ('stem_mashup_links', 'EXISTS (SELECT FROM public.mashups AS m WHERE m.id = mashup_id)'),
      ('stem_usage_log', 'user_id = (SELECT auth.uid())')
    ) AS own_tables (name, visible)
  LOOP
    CONTINUE WHEN pg_catalog.obj_description(
      pg_catalog.to_regclass('public.' || own.name), 'pg_class'
    ) IS DISTINCT FROM 'made by mashup-worker';
    EXECUTE pg_catalog.format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', own.name);
    EXECUTE pg_catalog.format('REVOKE ALL ON public.%I FROM anon, authenticated', own.name);
    EXECUTE pg_catalog.format('GRANT SELECT ON public.%I TO authenticated', own.name);
    EXECUTE pg_catalog.format('GRANT ALL ON public.%I TO service_role', own.name);
    EXECUTE pg_catalog.format(
      'CREATE POLICY own_select ON public.%I FOR SELECT TO authenticated USING (%s)',
      own.name, own.visible
    );
  END LOOP;
END $$;
