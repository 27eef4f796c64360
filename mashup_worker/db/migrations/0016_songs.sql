-- Songs: stems without a mashup, and corrections of what the analysis of a song found. An operator
-- whose tables differ replaces the functions of this file that read or write tables of the schema
-- `public`.

-- Correction of the song of a separation job, by its user. A takedown of the job deletes the row.
CREATE TABLE IF NOT EXISTS mashup_worker.song_corrections (
  job_id UUID PRIMARY KEY REFERENCES public.ai_jobs (id) ON DELETE CASCADE,
  tempo_factor DOUBLE PRECISION NOT NULL CHECK (tempo_factor IN (0.5, 1, 2)),
  downbeat_shift DOUBLE PRECISION NOT NULL CHECK (
    downbeat_shift BETWEEN -64 AND 64 AND 2 * downbeat_shift = floor(2 * downbeat_shift)
  ),
  musical_key TEXT CHECK (musical_key ~ '^[A-G](#|b)? (major|minor)$'),
  corrected_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
ALTER TABLE mashup_worker.song_corrections ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON mashup_worker.song_corrections FROM PUBLIC, anon, authenticated;
GRANT SELECT ON mashup_worker.song_corrections TO authenticated, mashup_worker, service_role;
DROP POLICY IF EXISTS own_select ON mashup_worker.song_corrections;
CREATE POLICY own_select ON mashup_worker.song_corrections FOR SELECT TO authenticated
  USING (EXISTS (
    SELECT FROM public.ai_jobs AS j WHERE j.id = job_id AND j.user_id = (SELECT auth.uid())
  ));
DROP POLICY IF EXISTS service_select ON mashup_worker.song_corrections;
CREATE POLICY service_select ON mashup_worker.song_corrections FOR SELECT
  TO mashup_worker, service_role USING (true);

-- Writes tempo and key of a song, as corrected, to its stems, by which they are searched.
CREATE OR REPLACE FUNCTION mashup_worker.apply_correction(job UUID) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  UPDATE public.stems AS s SET
    tempo_bpm = (j.output_data #>> '{analysis,tempo_bpm}')::double precision
      * coalesce(c.tempo_factor, 1),
    musical_key = coalesce(c.musical_key, j.output_data #>> '{analysis,key}')
  FROM public.ai_jobs AS j
  LEFT JOIN mashup_worker.song_corrections AS c ON c.job_id = j.id
  WHERE j.id = job AND s.job_id = j.id;
$$;

-- Corrects the song of a completed separation job. Users correct their own songs, and the service
-- role corrects all. Returns the id of the job, or no row for any other job.
CREATE OR REPLACE FUNCTION public.correct_song(
  job_id UUID, tempo_factor DOUBLE PRECISION, downbeat_shift DOUBLE PRECISION, musical_key TEXT
) RETURNS SETOF UUID
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  INSERT INTO mashup_worker.song_corrections AS c (
    job_id, tempo_factor, downbeat_shift, musical_key
  )
  SELECT
    j.id, correct_song.tempo_factor, correct_song.downbeat_shift, correct_song.musical_key
  FROM public.ai_jobs AS j
  WHERE j.id = correct_song.job_id AND j.job_type = 'separate' AND j.status = 'completed'
    AND (auth.uid() IS NULL OR j.user_id = auth.uid())
  ON CONFLICT ON CONSTRAINT song_corrections_pkey DO UPDATE SET
    tempo_factor = excluded.tempo_factor, downbeat_shift = excluded.downbeat_shift,
    musical_key = excluded.musical_key, corrected_at = now();

  WITH mine AS (
    SELECT j.id FROM public.ai_jobs AS j
    WHERE j.id = correct_song.job_id AND j.job_type = 'separate' AND j.status = 'completed'
      AND (auth.uid() IS NULL OR j.user_id = auth.uid())
  )
  SELECT mine.id FROM mine, LATERAL mashup_worker.apply_correction(mine.id);
$$;
COMMENT ON FUNCTION public.correct_song IS
  'Corrects tempo, downbeats and key of the song of a separation job, for its later mashups too.';

-- Removes the correction of a song, with the same rights. Returns the id of the job, or no row for
-- any other job.
CREATE OR REPLACE FUNCTION public.uncorrect_song(job_id UUID) RETURNS SETOF UUID
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  DELETE FROM mashup_worker.song_corrections AS c USING public.ai_jobs AS j
  WHERE c.job_id = uncorrect_song.job_id AND j.id = c.job_id
    AND (auth.uid() IS NULL OR j.user_id = auth.uid());

  SELECT j.id
  FROM public.ai_jobs AS j, LATERAL mashup_worker.apply_correction(j.id)
  WHERE j.id = uncorrect_song.job_id AND j.job_type = 'separate' AND j.status = 'completed'
    AND (auth.uid() IS NULL OR j.user_id = auth.uid());
$$;
COMMENT ON FUNCTION public.uncorrect_song IS 'Removes the correction of a song.';

-- Returns the correction of the song of a stem. For workers, which first ask whether their job may
-- read the stem.
CREATE OR REPLACE FUNCTION mashup_worker.correction_of_stem(stem UUID)
RETURNS TABLE (tempo_factor DOUBLE PRECISION, downbeat_shift DOUBLE PRECISION, musical_key TEXT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT c.tempo_factor, c.downbeat_shift, c.musical_key
  FROM public.stems AS s
  JOIN mashup_worker.song_corrections AS c ON c.job_id = s.job_id
  WHERE s.id = stem;
$$;

-- As before, and also for jobs of users that name no mashup: their stems belong to no mashup.
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
  LEFT JOIN public.mashups AS m ON m.id = (j.input_data ->> 'mashup_id')::uuid
  CROSS JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems') AS s (
    kind TEXT, key TEXT, sha256 TEXT, duration_s DOUBLE PRECISION, loudness_lufs DOUBLE PRECISION
  )
  WHERE j.id = job AND j.job_type = 'separate'
    AND CASE
      WHEN j.input_data ->> 'mashup_id' IS NULL THEN j.user_id IS NOT NULL
      ELSE m.id IS NOT NULL AND (j.user_id IS NULL OR j.user_id = m.user_id)
    END
  ON CONFLICT (job_id, kind) DO NOTHING;

  -- The job that completed last counts, even if another one waited longer for the lock.
  DELETE FROM public.mashup_stems AS old
  USING public.stems AS new, public.ai_jobs AS j
  WHERE new.job_id = job AND j.id = job AND old.mashup_id = new.mashup_id
    AND NOT EXISTS (
      SELECT FROM public.stems AS s JOIN public.ai_jobs AS later ON later.id = s.job_id
      WHERE s.id = old.stem_id AND later.completed_at > j.completed_at
    );

  INSERT INTO public.mashup_stems (mashup_id, stem_id, kind, storage_key, peaks_key)
  SELECT new.mashup_id, new.id, new.kind, new.storage_key, s.peaks_key
  FROM public.stems AS new
  JOIN public.ai_jobs AS j ON j.id = new.job_id
  JOIN LATERAL jsonb_to_recordset(j.output_data -> 'stems') AS s (kind TEXT, peaks_key TEXT)
    ON s.kind = new.kind
  WHERE new.job_id = job
    AND NOT EXISTS (SELECT FROM public.mashup_stems AS m WHERE m.mashup_id = new.mashup_id)
    AND new.mashup_id IS NOT NULL;

  UPDATE public.mashups AS m
  SET has_stems = true,
    stems_count = (SELECT count(*) FROM public.mashup_stems AS s WHERE s.mashup_id = m.id)
  WHERE m.id IN (SELECT new.mashup_id FROM public.stems AS new WHERE new.job_id = job);
$$;

REVOKE ALL ON FUNCTION
  mashup_worker.apply_correction, mashup_worker.correction_of_stem, public.correct_song,
  public.uncorrect_song
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION public.correct_song, public.uncorrect_song TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION mashup_worker.correction_of_stem TO mashup_worker;
-- The worker's role executes them in the check of the schema.
GRANT EXECUTE ON FUNCTION
  mashup_worker.apply_correction, public.correct_song, public.uncorrect_song TO mashup_worker;
