-- Origins of each result, so that a song can be taken down with everything derived from it.
ALTER TABLE public.ai_jobs
  ADD COLUMN IF NOT EXISTS source_sha256 TEXT[],
  ADD COLUMN IF NOT EXISTS source_jobs UUID[];
COMMENT ON COLUMN public.ai_jobs.source_sha256 IS 'Digests of the files that the job read.';
COMMENT ON COLUMN public.ai_jobs.source_jobs IS 'Jobs whose results the job read.';
CREATE INDEX IF NOT EXISTS ai_jobs_source_sha256 ON public.ai_jobs USING gin (source_sha256);
CREATE INDEX IF NOT EXISTS ai_jobs_source_jobs ON public.ai_jobs USING gin (source_jobs);

-- Returns jobs that read a file with this digest, jobs that read their results, and so on, and open
-- jobs that name the same file.
CREATE OR REPLACE FUNCTION mashup_worker.jobs_of_song(sha256 TEXT) RETURNS SETOF UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  WITH RECURSIVE made (id) AS (
    SELECT j.id FROM public.ai_jobs AS j
    WHERE j.source_sha256 @> ARRAY[jobs_of_song.sha256]
    UNION
    SELECT j.id FROM made JOIN public.ai_jobs AS j ON j.source_jobs @> ARRAY[made.id]
  )
  SELECT id FROM made
  UNION
  SELECT j.id FROM public.ai_jobs AS j
  JOIN public.ai_jobs AS done ON done.input_data ->> 'audio' = j.input_data ->> 'audio'
  WHERE j.status IN ('queued', 'processing')
    AND done.source_sha256 @> ARRAY[jobs_of_song.sha256];
$$;

CREATE OR REPLACE FUNCTION mashup_worker.jobs_of_user(job_user UUID) RETURNS SETOF UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT j.id FROM public.ai_jobs AS j WHERE j.user_id = job_user;
$$;

-- Deletes ended jobs with all of their rows; returns the mashups that lost stems. An operator whose
-- tables differ replaces this function.
CREATE OR REPLACE FUNCTION mashup_worker.purge_jobs(jobs UUID[]) RETURNS SETOF UUID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  gone UUID[] := ARRAY(SELECT s.id FROM public.stems AS s WHERE s.job_id = ANY(jobs));
  touched UUID[];
BEGIN
  WITH removed AS (
    DELETE FROM public.mashup_stems AS s WHERE s.stem_id = ANY(gone) RETURNING s.mashup_id
  ), unlinked AS (
    DELETE FROM public.stem_mashup_links AS l WHERE l.stem_id = ANY(gone) RETURNING l.mashup_id
  )
  SELECT array_agg(DISTINCT m.id) INTO touched
  FROM (SELECT mashup_id FROM removed UNION SELECT mashup_id FROM unlinked) AS m (id);
  DELETE FROM public.stem_usage_log AS u WHERE u.stem_id = ANY(gone) OR u.job_id = ANY(jobs);
  DELETE FROM public.stems AS s WHERE s.id = ANY(gone);
  UPDATE public.mashups AS m
  SET stems_count = counted.stems, has_stems = counted.stems > 0
  FROM (
    SELECT t.id, count(s.id) AS stems
    FROM unnest(touched) AS t (id) LEFT JOIN public.mashup_stems AS s ON s.mashup_id = t.id
    GROUP BY t.id
  ) AS counted
  WHERE m.id = counted.id;
  DELETE FROM public.ai_jobs AS j
  WHERE j.id = ANY(jobs) AND j.status IN ('completed', 'failed', 'canceled');
  RETURN QUERY SELECT unnest(touched);
END $$;

-- For operators only, neither users nor workers.
REVOKE ALL ON FUNCTION
  mashup_worker.jobs_of_song, mashup_worker.jobs_of_user, mashup_worker.purge_jobs
  FROM PUBLIC, anon, authenticated;
GRANT USAGE ON SCHEMA mashup_worker TO service_role;
GRANT EXECUTE ON FUNCTION
  mashup_worker.jobs_of_song, mashup_worker.jobs_of_user, mashup_worker.purge_jobs
  TO service_role;
