-- Functions that write a finished job's rows in the backend's tables. An operator whose tables
-- differ replaces these functions. `mashup migrate --check` calls them with a job that does not
-- exist; such a call must change no row and raise no error.

CREATE OR REPLACE FUNCTION mashup_worker.publish_stems(job UUID) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  -- The lock serializes two separations of one mashup.
  SELECT m.id FROM public.mashups AS m
  JOIN public.ai_jobs AS j ON m.id = (j.input_data ->> 'mashup_id')::uuid
  WHERE j.id = job FOR UPDATE OF m;

  INSERT INTO public.stems (
    user_id, mashup_id, job_id, kind, storage_key, sha256, duration_s, loudness_lufs, tempo_bpm,
    musical_key
  )
  SELECT
    j.user_id, m.id, j.id, s.kind, s.key, s.sha256, s.duration_s, s.loudness_lufs,
    (j.output_data #>> '{analysis,tempo_bpm}')::double precision,
    j.output_data #>> '{analysis,key}'
  FROM public.ai_jobs AS j
  JOIN public.mashups AS m ON m.id = (j.input_data ->> 'mashup_id')::uuid
  CROSS JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems') AS s (
    kind TEXT, key TEXT, sha256 TEXT, duration_s DOUBLE PRECISION, loudness_lufs DOUBLE PRECISION
  )
  WHERE j.id = job AND j.job_type = 'separate' AND (j.user_id IS NULL OR j.user_id = m.user_id)
  ON CONFLICT (job_id, kind) DO NOTHING;

  DELETE FROM public.mashup_stems AS old
  USING public.stems AS new
  WHERE new.job_id = job AND old.mashup_id = new.mashup_id;

  INSERT INTO public.mashup_stems (mashup_id, stem_id, kind, storage_key, peaks_key)
  SELECT new.mashup_id, new.id, new.kind, new.storage_key, s.peaks_key
  FROM public.stems AS new
  JOIN public.ai_jobs AS j ON j.id = new.job_id
  JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems') AS s (kind TEXT, peaks_key TEXT)
    ON s.kind = new.kind
  WHERE new.job_id = job AND new.mashup_id IS NOT NULL;

  UPDATE public.mashups AS m
  SET has_stems = true,
    stems_count = (SELECT count(*) FROM public.mashup_stems AS s WHERE s.mashup_id = m.id)
  WHERE m.id IN (SELECT new.mashup_id FROM public.stems AS new WHERE new.job_id = job);
$$;

CREATE OR REPLACE FUNCTION public.link_stems(mashup_id UUID, job_id UUID) RETURNS INTEGER
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  WITH used AS (
    SELECT DISTINCT s.id AS stem, m.id AS mashup, j.id AS job, j.user_id AS creator
    FROM public.ai_jobs AS j
    JOIN public.mashups AS m ON m.id = link_stems.mashup_id
    CROSS JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems_used') AS u (stem_id UUID)
    JOIN public.stems AS s ON s.id = u.stem_id
    WHERE j.id = link_stems.job_id AND j.job_type = 'mashup' AND j.status = 'completed'
      -- A user links their own jobs and mashups. The service role also links jobs without a user.
      AND CASE
        WHEN auth.uid() IS NULL THEN j.user_id IS NULL OR j.user_id = m.user_id
        ELSE j.user_id = auth.uid() AND m.user_id = auth.uid()
      END
  ), linked AS (
    INSERT INTO public.stem_mashup_links (stem_id, mashup_id)
    SELECT used.stem, used.mashup FROM used ON CONFLICT DO NOTHING
  ), logged AS (
    INSERT INTO public.stem_usage_log (stem_id, mashup_id, user_id, job_id)
    SELECT used.stem, used.mashup, used.creator, used.job FROM used ON CONFLICT DO NOTHING
  )
  SELECT count(*)::integer FROM used;
$$;
COMMENT ON FUNCTION public.link_stems IS
  'Credits the stems that a finished mashup job used to the saved mashup; returns their number.';

CREATE OR REPLACE FUNCTION mashup_worker.publish_mashup(job UUID) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  SELECT public.link_stems((j.input_data ->> 'mashup_id')::uuid, j.id)
  FROM public.ai_jobs AS j
  WHERE j.id = job AND j.job_type = 'mashup' AND j.input_data ->> 'mashup_id' IS NOT NULL;
  -- Reads the tables even without such a job, so that the check finds missing tables and columns.
  SELECT public.link_stems(NULL, job);
$$;

-- Returns whether a user's job may write to a mashup.
CREATE OR REPLACE FUNCTION mashup_worker.owns_mashup(mashup UUID, job_user UUID) RETURNS BOOLEAN
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT EXISTS (
    SELECT FROM public.mashups AS m
    WHERE m.id = mashup AND (job_user IS NULL OR m.user_id = job_user)
  );
$$;

-- Returns a stem that a user's job may read: their own, a public one, or any for a job without a
-- user. The analysis of its song is included if known, since vocals alone may have no beat.
CREATE OR REPLACE FUNCTION mashup_worker.readable_stem(stem UUID, job_user UUID)
RETURNS TABLE (storage_key TEXT, kind TEXT, song TEXT, analysis JSONB)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT
    s.storage_key, s.kind, coalesce(s.mashup_id, s.job_id, s.id)::text,
    j.output_data -> 'analysis'
  FROM public.stems AS s
  LEFT JOIN public.ai_jobs AS j ON j.id = s.job_id
  LEFT JOIN public.mashups AS m ON m.id = s.mashup_id
  WHERE s.id = stem
    AND (job_user IS NULL OR s.user_id = job_user OR s.is_public OR coalesce(m.is_public, false));
$$;

-- Returns the keys that must be kept: a row references the key, or its job has not ended and may
-- reference it soon, or its job belongs to another database.
CREATE OR REPLACE FUNCTION mashup_worker.referenced_keys(keys TEXT[]) RETURNS SETOF TEXT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT k.key
  FROM unnest(keys) AS k (key)
  LEFT JOIN public.ai_jobs AS j ON j.id = CASE
    WHEN split_part(k.key, '/', 2) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN split_part(k.key, '/', 2)::uuid
  END
  WHERE j.id IS NULL
    OR j.status IN ('queued', 'processing')
    OR jsonb_path_exists(j.output_data, '$.** ? (@ == $key)', jsonb_build_object('key', k.key))
    OR EXISTS (SELECT FROM public.stems AS s WHERE s.storage_key = k.key)
    OR EXISTS (SELECT FROM public.mashup_stems AS s WHERE k.key IN (s.storage_key, s.peaks_key));
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.publish_stems, mashup_worker.publish_mashup, mashup_worker.owns_mashup,
  mashup_worker.readable_stem, mashup_worker.referenced_keys, public.link_stems
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
  mashup_worker.publish_stems, mashup_worker.publish_mashup, mashup_worker.owns_mashup,
  mashup_worker.readable_stem, mashup_worker.referenced_keys, public.link_stems
  TO mashup_worker;
GRANT EXECUTE ON FUNCTION public.link_stems TO authenticated, service_role;

-- Indexes for the sweep, on the columns that the backend's tables have.
DO $$
DECLARE
  own RECORD;
BEGIN
  FOR own IN
    SELECT c.relname, a.attname
    FROM (VALUES
      ('stems', 'storage_key'), ('mashup_stems', 'storage_key'), ('mashup_stems', 'peaks_key')
    ) AS wanted (relname, attname)
    JOIN pg_catalog.pg_class AS c USING (relname)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = wanted.attname
    WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
  LOOP
    EXECUTE pg_catalog.format(
      'CREATE INDEX IF NOT EXISTS %I ON public.%I (%I)',
      own.relname || '_' || own.attname, own.relname, own.attname
    );
  END LOOP;
END $$;
