-- Stems, mashups and credits of the HTTP API. An operator whose tables differ replaces the functions
-- of this file that read or write tables of the schema `public`.

-- The API's statements run with the role of the caller.
GRANT USAGE ON SCHEMA mashup_worker TO authenticated;

-- Where the service role does not bypass row-level security, it sees the tables made here as well.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'profiles', 'subscriptions', 'mashups', 'stems', 'mashup_stems', 'stem_mashup_links',
    'stem_usage_log'
  ] LOOP
    CONTINUE WHEN pg_catalog.obj_description(
      pg_catalog.to_regclass('public.' || name), 'pg_class'
    ) IS DISTINCT FROM 'made by mashup-worker';
    EXECUTE pg_catalog.format('DROP POLICY IF EXISTS service ON public.%I', name);
    EXECUTE pg_catalog.format(
      'CREATE POLICY service ON public.%I TO service_role USING (true) WITH CHECK (true)', name
    );
  END LOOP;
END $$;

-- Mashup of each finished job that was saved. A takedown of the job deletes the row.
CREATE TABLE IF NOT EXISTS mashup_worker.saved_mashups (
  job_id UUID PRIMARY KEY REFERENCES public.ai_jobs (id) ON DELETE CASCADE,
  mashup_id UUID NOT NULL,
  saved_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS saved_mashups_of_mashup ON mashup_worker.saved_mashups (mashup_id);
CREATE INDEX IF NOT EXISTS ai_jobs_of_mashup ON public.ai_jobs ((input_data ->> 'mashup_id'))
  WHERE job_type = 'mashup' AND status = 'completed';

-- Indexes on the backend's tables, as far as these have the columns. The index of words uses
-- functions of Postgres only, since each role that writes titles executes them.
DO $$
DECLARE
  definition text;
BEGIN
  FOREACH definition IN ARRAY ARRAY[
    'stems_recent ON public.stems (created_at, id)',
    'stems_public ON public.stems (created_at, id) WHERE is_public',
    'stems_of_user ON public.stems (user_id, created_at, id)',
    'stems_of_kind ON public.stems (kind, created_at, id)',
    'stems_of_key ON public.stems (musical_key, created_at, id)',
    'stems_of_tempo ON public.stems (tempo_bpm)',
    'stems_of_mashup ON public.stems (mashup_id)',
    'mashups_recent ON public.mashups (created_at, id)',
    'mashups_public ON public.mashups (created_at, id) WHERE is_public',
    'mashups_of_user ON public.mashups (user_id, created_at, id)',
    'mashups_words ON public.mashups USING gin (to_tsvector(''simple'', regexp_replace('
      'left(title::text, 500), ''[!-/:-@[-`{-~]+'', '' '', ''g'')))',
    'mashup_stems_of_stem ON public.mashup_stems (stem_id)',
    'stem_mashup_links_of_mashup ON public.stem_mashup_links (mashup_id)'
  ] LOOP
    BEGIN
      EXECUTE 'CREATE INDEX IF NOT EXISTS ' || definition;
    EXCEPTION
      WHEN undefined_column OR undefined_table OR undefined_object OR datatype_mismatch
        OR wrong_object_type OR invalid_object_definition THEN NULL;
    END;
  END LOOP;
END $$;

-- Returns the stems that row-level security shows to the caller. Without SECURITY DEFINER and SET,
-- so that Postgres inlines it and filters by the indexes; the same holds for `mashup_rows`.
CREATE OR REPLACE FUNCTION mashup_worker.stem_rows()
RETURNS TABLE (
  id UUID, user_id UUID, mashup_id UUID, job_id UUID, kind TEXT, storage_key TEXT, sha256 TEXT,
  duration_s DOUBLE PRECISION, loudness_lufs DOUBLE PRECISION, tempo_bpm DOUBLE PRECISION,
  musical_key TEXT, is_public BOOLEAN, created_at TIMESTAMPTZ
)
LANGUAGE sql STABLE AS $$
  SELECT
    s.id, s.user_id, s.mashup_id, s.job_id, s.kind, s.storage_key, s.sha256, s.duration_s,
    s.loudness_lufs, s.tempo_bpm, s.musical_key, s.is_public, s.created_at
  FROM public.stems AS s
$$;

-- Returns the mashups that row-level security shows to the caller.
CREATE OR REPLACE FUNCTION mashup_worker.mashup_rows()
RETURNS TABLE (
  id UUID, user_id UUID, title TEXT, is_public BOOLEAN, created_at TIMESTAMPTZ
)
LANGUAGE sql STABLE AS $$
  SELECT m.id, m.user_id, m.title, m.is_public, m.created_at FROM public.mashups AS m
$$;

-- Returns a query for texts that have words with all of these beginnings, in any order.
CREATE OR REPLACE FUNCTION mashup_worker.word_query(words TEXT) RETURNS TSQUERY
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT string_agg(quote_literal(w.lexeme) || ':*', ' & ')::tsquery
  FROM unnest(
    to_tsvector('simple', regexp_replace(words, '[!-/:-@[-`{-~]+', ' ', 'g'))
  ) AS w;
$$;

-- Returns the file name at the end of a key or URL, without the query of a URL.
CREATE OR REPLACE FUNCTION mashup_worker.file_name(address TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT regexp_replace(
    CASE WHEN address ~* '^https?:' THEN regexp_replace(address, '[?#].*$', '') ELSE address END,
    '^.*/', ''
  );
$$;

-- Returns the words of that name.
CREATE OR REPLACE FUNCTION mashup_worker.file_words(address TEXT) RETURNS TSVECTOR
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT to_tsvector('simple', regexp_replace(
    mashup_worker.file_name(address), '[!-/:-@[-`{-~]+', ' ', 'g'
  ));
$$;

-- Returns stems that the caller may see and whose text has such words: the title of their mashup, if
-- the caller may see it, or the file name of the caller's own song. Row-level security hides the
-- other stems again; this function is an index, since policies keep the index of words from being
-- used.
CREATE OR REPLACE FUNCTION mashup_worker.stems_with_words(words TEXT) RETURNS SETOF UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT s.id
  FROM public.mashups AS m
  JOIN public.stems AS s ON s.mashup_id = m.id
  WHERE to_tsvector(
      'simple', regexp_replace(left(m.title::text, 500), '[!-/:-@[-`{-~]+', ' ', 'g')
    ) @@ (SELECT mashup_worker.word_query(words))
    AND (auth.uid() IS NULL OR m.user_id = auth.uid() OR m.is_public)
    AND (auth.uid() IS NULL OR s.user_id = auth.uid() OR s.is_public)
  UNION
  SELECT s.id
  FROM public.stems AS s
  JOIN public.ai_jobs AS j ON j.id = s.job_id
  WHERE s.user_id = auth.uid() AND j.user_id = auth.uid()
    AND mashup_worker.file_words(j.input_data ->> 'audio') @@ (SELECT mashup_worker.word_query(words))
  UNION
  SELECT s.id
  FROM public.stems AS s
  JOIN public.ai_jobs AS j ON j.id = s.job_id
  WHERE auth.uid() IS NULL
    AND mashup_worker.file_words(j.input_data ->> 'audio') @@ (SELECT mashup_worker.word_query(words));
$$;

-- Returns facts of a stem that rows of other users hold. For the API only, which first finds the stem
-- as the caller.
CREATE OR REPLACE FUNCTION mashup_worker.stem_facts(stem UUID)
RETURNS TABLE (usage_count BIGINT, last_used_at TIMESTAMPTZ, peaks_key TEXT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT
    (SELECT count(*) FROM public.stem_mashup_links AS l WHERE l.stem_id = s.id),
    (SELECT max(u.used_at) FROM public.stem_usage_log AS u WHERE u.stem_id = s.id),
    coalesce(
      (SELECT c.peaks_key FROM public.mashup_stems AS c WHERE c.stem_id = s.id LIMIT 1),
      (
        SELECT o.peaks_key
        FROM public.ai_jobs AS j
        CROSS JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems') AS o (
          key TEXT, peaks_key TEXT
        )
        WHERE j.id = s.job_id AND o.key = s.storage_key LIMIT 1
      )
    )
  FROM public.stems AS s WHERE s.id = stem;
$$;

-- Saves the result of a finished mashup job as a mashup of the job's user, and credits its stems. A
-- job that was saved before, or that names a mashup in its input, has that mashup. Users save their
-- own jobs; the service role saves all. Returns no row for any other job.
CREATE OR REPLACE FUNCTION public.save_mashup(job_id UUID, title TEXT, is_public BOOLEAN)
RETURNS TABLE (mashup_id UUID, created BOOLEAN)
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  -- The lock serializes requests for one job; the next statement sees what the earlier one saved.
  SELECT j.id FROM public.ai_jobs AS j
  WHERE j.id = save_mashup.job_id AND (auth.uid() IS NULL OR j.user_id = auth.uid())
  FOR NO KEY UPDATE;

  WITH job AS (
    SELECT j.id, j.user_id, m.id AS named
    FROM public.ai_jobs AS j
    LEFT JOIN public.mashups AS m
      ON m.id::text = j.input_data ->> 'mashup_id' AND m.user_id IS NOT DISTINCT FROM j.user_id
    WHERE j.id = save_mashup.job_id AND j.job_type = 'mashup' AND j.status = 'completed'
      AND (auth.uid() IS NULL OR j.user_id = auth.uid())
      AND NOT EXISTS (
        SELECT FROM mashup_worker.saved_mashups AS s JOIN public.mashups AS earlier
        ON earlier.id = s.mashup_id WHERE s.job_id = j.id
      )
  ), renamed AS (
    UPDATE public.mashups AS m
    SET title = save_mashup.title, is_public = save_mashup.is_public
    FROM job WHERE m.id = job.named
  ), made AS (
    INSERT INTO public.mashups (user_id, title, is_public)
    SELECT job.user_id, save_mashup.title, save_mashup.is_public FROM job WHERE job.named IS NULL
    RETURNING id
  )
  INSERT INTO mashup_worker.saved_mashups (job_id, mashup_id)
  SELECT job.id, coalesce(job.named, made.id) FROM job LEFT JOIN made ON true
  ON CONFLICT (job_id) DO UPDATE SET mashup_id = excluded.mashup_id, saved_at = now();

  SELECT public.link_stems(s.mashup_id, s.job_id)
  FROM mashup_worker.saved_mashups AS s WHERE s.job_id = save_mashup.job_id;

  SELECT s.mashup_id, s.saved_at = now()
  FROM mashup_worker.saved_mashups AS s
  JOIN public.ai_jobs AS j ON j.id = s.job_id
  WHERE s.job_id = save_mashup.job_id AND (auth.uid() IS NULL OR j.user_id = auth.uid());
$$;
COMMENT ON FUNCTION public.save_mashup IS
  'Saves the result of a finished mashup job as a mashup, and credits its stems.';

-- Returns the latest result of each mashup: its job, and `audio` of the job's output. For the API
-- only, which first finds the mashups as the caller.
CREATE OR REPLACE FUNCTION mashup_worker.mashup_results(mashups UUID[])
RETURNS TABLE (mashup_id UUID, job_id UUID, audio JSONB)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT DISTINCT ON (m.id) m.id, j.id, j.output_data -> 'audio'
  FROM public.mashups AS m
  CROSS JOIN LATERAL (
    SELECT s.job_id FROM mashup_worker.saved_mashups AS s WHERE s.mashup_id = m.id
    UNION ALL
    SELECT named.id FROM public.ai_jobs AS named
    WHERE named.input_data ->> 'mashup_id' = m.id::text AND named.job_type = 'mashup'
      AND named.status = 'completed'
      AND (named.user_id IS NULL OR named.user_id = m.user_id)
  ) AS found (id)
  JOIN public.ai_jobs AS j ON j.id = found.id
  WHERE m.id = ANY(mashups) AND j.output_data -> 'audio' ?& ARRAY['key', 'peaks_key']
  ORDER BY m.id, j.completed_at DESC, j.id;
$$;

-- Returns the number of stems that a mashup uses of each creator; null stands for stems of no user.
-- Stems that were taken down have no row. For the API only, which first finds the mashup as the
-- caller.
CREATE OR REPLACE FUNCTION mashup_worker.mashup_creators(mashup UUID)
RETURNS TABLE (user_id UUID, stems BIGINT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT s.user_id, count(*)
  FROM public.stem_mashup_links AS l JOIN public.stems AS s ON s.id = l.stem_id
  WHERE l.mashup_id = mashup GROUP BY s.user_id;
$$;

-- Returns the tier above that lifts the limit of a tier for a type of job.
CREATE OR REPLACE FUNCTION mashup_worker.next_tier(tier TEXT, job_type TEXT) RETURNS TEXT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT above.tier
  FROM mashup_worker.tier_limits AS own
  JOIN mashup_worker.tier_limits AS above USING (job_type)
  WHERE own.tier = next_tier.tier AND own.job_type = next_tier.job_type
    AND above.priority > own.priority
    AND (above.max_jobs IS NULL OR above.max_jobs > own.max_jobs)
  ORDER BY above.priority, above.tier LIMIT 1;
$$;

-- As before, with the next tier by the function above.
CREATE OR REPLACE FUNCTION mashup_worker.over_quota(job UUID)
RETURNS TABLE (
  tier TEXT, job_type TEXT, max_jobs INTEGER, period TEXT, until DATE, next_tier TEXT
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  mine public.ai_jobs;
  own RECORD;
BEGIN
  SELECT * INTO mine FROM public.ai_jobs AS j
  WHERE j.id = job AND j.status = 'queued' AND j.attempt = 0 AND j.user_id IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT l.* INTO own
  FROM mashup_worker.user_tiers(ARRAY[mine.user_id]) AS u
  JOIN mashup_worker.tier_limits AS l ON l.tier = u.tier
  WHERE l.job_type = mine.job_type AND l.max_jobs IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('mashup_worker.over_quota', 0)
    # pg_catalog.hashtextextended(mine.user_id::text, 0)
  );
  -- A separate statement, which sees rows that were committed while it waited for the lock.
  IF mashup_worker.jobs_before(mine, own.period) < own.max_jobs THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT
    own.tier, own.job_type, own.max_jobs, own.period,
    mashup_worker.period_end(own.period, mine.created_at),
    mashup_worker.next_tier(own.tier, own.job_type);
END $$;

-- Returns the first day (UTC) after the day or month that contains a time.
CREATE OR REPLACE FUNCTION mashup_worker.period_end(period TEXT, at TIMESTAMPTZ) RETURNS DATE
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT (date_trunc(period, at AT TIME ZONE 'UTC') + ('1 ' || period)::interval)::date;
$$;

-- Returns the limits of a user's tier, each with the number of jobs that count before one that would
-- be inserted now.
CREATE OR REPLACE FUNCTION mashup_worker.limits_of(job_user UUID)
RETURNS TABLE (
  tier TEXT, priority INTEGER, job_type TEXT, period TEXT, max_jobs INTEGER, used BIGINT,
  until DATE, next_tier TEXT, tier_above TEXT
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT
    u.tier, u.priority, l.job_type, l.period, l.max_jobs,
    mashup_worker.jobs_before(
      jsonb_populate_record(NULL::public.ai_jobs, jsonb_build_object(
        'id', gen_random_uuid(), 'user_id', job_user, 'job_type', l.job_type, 'created_at', t.now
      )),
      l.period
    ),
    mashup_worker.period_end(l.period, t.now),
    CASE WHEN l.max_jobs IS NOT NULL THEN mashup_worker.next_tier(u.tier, l.job_type) END,
    (
      SELECT above.tier FROM mashup_worker.tiers AS above
      WHERE above.priority > u.priority ORDER BY above.priority, above.tier LIMIT 1
    )
  FROM mashup_worker.user_tiers(ARRAY[job_user]) AS u
  JOIN mashup_worker.tier_limits AS l ON l.tier = u.tier
  CROSS JOIN clock_timestamp() AS t (now)
  ORDER BY l.job_type;
$$;

-- Reads with the functions that run as the caller, so that the check of the schema finds tables that
-- do not fit.
CREATE OR REPLACE FUNCTION mashup_worker.check_rows() RETURNS void
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT count(*) FROM mashup_worker.stem_rows() WHERE false;
  SELECT count(*) FROM mashup_worker.mashup_rows() WHERE false;
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.stem_rows, mashup_worker.mashup_rows, mashup_worker.word_query,
  mashup_worker.file_name, mashup_worker.file_words, mashup_worker.stems_with_words,
  mashup_worker.stem_facts, public.save_mashup,
  mashup_worker.mashup_results, mashup_worker.mashup_creators, mashup_worker.next_tier,
  mashup_worker.period_end, mashup_worker.limits_of, mashup_worker.check_rows
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
  mashup_worker.stem_rows, mashup_worker.mashup_rows, mashup_worker.file_name,
  mashup_worker.stems_with_words, public.save_mashup
  TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION
  mashup_worker.stem_facts, mashup_worker.mashup_results, mashup_worker.mashup_creators,
  mashup_worker.limits_of
  TO mashup_api;
-- The worker's role executes them in the check of the schema.
GRANT EXECUTE ON FUNCTION
  mashup_worker.stems_with_words, mashup_worker.stem_facts, public.save_mashup,
  mashup_worker.mashup_results, mashup_worker.mashup_creators,
  mashup_worker.limits_of, mashup_worker.check_rows
  TO mashup_worker;
