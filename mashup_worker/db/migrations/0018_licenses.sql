-- Models of finished jobs, with the licenses of their weights.

-- Models that separated the songs of a job, and for mashups those of the stems that it used. A
-- takedown of the job deletes the rows. `license` is an SPDX id, a word such as `scientific-only`, or
-- the text of who added the model.
CREATE TABLE IF NOT EXISTS mashup_worker.job_models (
  job_id UUID NOT NULL REFERENCES public.ai_jobs (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  license TEXT NOT NULL,
  license_class TEXT NOT NULL CHECK (license_class IN ('permissive', 'restricted', 'unknown')),
  PRIMARY KEY (job_id, model)
);
ALTER TABLE mashup_worker.job_models ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON mashup_worker.job_models FROM PUBLIC, anon, authenticated;
GRANT SELECT ON mashup_worker.job_models TO authenticated, mashup_worker, service_role;

-- Users see the models of their own jobs, and those of all stems that they may see.
DROP POLICY IF EXISTS visible_select ON mashup_worker.job_models;
CREATE POLICY visible_select ON mashup_worker.job_models FOR SELECT TO authenticated
  USING (
    EXISTS (
      SELECT FROM public.ai_jobs AS j WHERE j.id = job_id AND j.user_id = (SELECT auth.uid())
    )
    OR EXISTS (SELECT FROM mashup_worker.stem_rows() AS s WHERE s.job_id = job_models.job_id)
  );
DROP POLICY IF EXISTS service_select ON mashup_worker.job_models;
CREATE POLICY service_select ON mashup_worker.job_models FOR SELECT
  TO mashup_worker, service_role USING (true);

-- Returns the models in the output of a job. Older releases wrote no license.
CREATE OR REPLACE FUNCTION mashup_worker.models_of_output(output JSONB)
RETURNS TABLE (model TEXT, license TEXT, license_class TEXT)
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT DISTINCT ON (m.name)
    m.name, coalesce(m.license, 'not-stated'), coalesce(m.license_class, 'unknown')
  FROM (
    SELECT
      output #>> '{model,name}', output #>> '{model,license,id}',
      output #>> '{model,license,license_class}'
    UNION ALL
    SELECT u.model ->> 'name', u.model ->> 'license', u.model ->> 'license_class'
    FROM jsonb_to_recordset(
      CASE WHEN jsonb_typeof(output -> 'stems_used') = 'array' THEN output -> 'stems_used'
      ELSE '[]' END
    ) AS u (model JSONB)
  ) AS m (name, license, license_class)
  WHERE m.name IS NOT NULL
  ORDER BY m.name, m.license;
$$;

CREATE OR REPLACE FUNCTION mashup_worker.keep_models() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO mashup_worker.job_models (job_id, model, license, license_class)
  SELECT NEW.id, m.model, m.license, m.license_class
  FROM mashup_worker.models_of_output(NEW.output_data) AS m
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER ai_jobs_models AFTER UPDATE ON public.ai_jobs
  FOR EACH ROW WHEN (OLD.status <> 'completed' AND NEW.status = 'completed')
  EXECUTE FUNCTION mashup_worker.keep_models();

INSERT INTO mashup_worker.job_models (job_id, model, license, license_class)
SELECT j.id, m.model, m.license, m.license_class
FROM public.ai_jobs AS j
CROSS JOIN LATERAL mashup_worker.models_of_output(j.output_data) AS m
WHERE j.status = 'completed'
ON CONFLICT DO NOTHING;

-- Returns the model that separated a stem. For workers, which first ask whether their job may read
-- the stem.
CREATE OR REPLACE FUNCTION mashup_worker.model_of_stem(stem UUID)
RETURNS TABLE (name TEXT, license TEXT, license_class TEXT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT m.model, m.license, m.license_class
  FROM public.stems AS s JOIN mashup_worker.job_models AS m ON m.job_id = s.job_id
  WHERE s.id = stem;
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.models_of_output, mashup_worker.keep_models, mashup_worker.model_of_stem
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.model_of_stem TO mashup_worker;
